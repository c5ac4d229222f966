"""Grants rights in Kafka."""

from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from shared.runtime.settings import ServiceSettings
from shared.streams.kafka.access_rows import KafkaRight
from shared.streams.kafka.client import KafkaClients
from shared.streams.kafka.errors import translated

_ANSWER_SECONDS: Final = 10.0
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


def grant(settings: ServiceSettings, rights: Sequence[KafkaRight]) -> None:
    """Add the rights that Kafka does not have yet. Raises LogUnavailable."""
    clients = KafkaClients(settings, "clickpulse-access")
    admin = AdminClient(clients.admin_options())
    try:
        for granted in admin.create_acls(
            [_binding(right) for right in rights], request_timeout=_ANSWER_SECONDS
        ).values():
            granted.result(2 * _ANSWER_SECONDS)
    except KafkaException as error:
        raise translated(error, clients.address) from error


def _binding(right: KafkaRight) -> AclBinding:
    operation = "".join(f"_{letter}" if letter.isupper() else letter for letter in right.operation).strip("_").upper()
    return AclBinding(
        _RESOURCES[right.resource],
        right.name,
        ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
        f"User:{right.user}",
        "*",
        AclOperation[operation],
        AclPermissionType.ALLOW,
    )
