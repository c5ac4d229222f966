"""How we talk to Kafka: the options of every client, and what its errors mean to us."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from quixstreams import Application
from quixstreams.kafka import ConnectionConfig

from shared.settings import ServiceSettings
from shared.streams import Fenced, LogUnavailable

NO_GROUP: Final = "clickpulse"
"""Stands for the group where nothing is consumed; Quix Streams wants one."""

_CONSUMER_OPTIONS: Final[dict[str, Any]] = {
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",  # a rebalance moves only the partitions that must move
    "enable.partition.eof": True,  # tells that the end is reached: transaction markers make offsets deceive, see lag()
    "fetch.queue.backoff.ms": 10,  # the default of a second throttles catching up fourfold
    "queued.max.messages.kbytes": 32_768,  # prefetched, by consumer
    "statistics.interval.ms": 0,
    "log.connection.close": False,  # brokers close idle connections
}
_PRODUCER_OPTIONS: Final[dict[str, Any]] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "zstd",
    "linger.ms": 5,
    "message.timeout.ms": 5_000,  # then `send` fails and the caller, who may be stopping, decides
    "message.max.bytes": 4 << 20,  # the broker's limit shall be the one that counts
    "delivery.report.only.error": True,
    "statistics.interval.ms": 0,
    "log.connection.close": False,
}
_FENCED: Final = (KafkaError.FENCED_INSTANCE_ID,)


class KafkaClients:
    """Makes Quix Streams' consumers and producers. Nothing connects before their first call."""

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self.address = settings.kafka_broker or ""
        # Both log through the standard library: what is worth a line comes through, the rest does not.
        logging.getLogger("quixstreams").setLevel(logging.WARNING)
        options = {
            "bootstrap.servers": self.address,
            "client.id": client_id,
            "security.protocol": settings.kafka_security_protocol,
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password,
            "ssl.ca.location": settings.kafka_ssl_ca_location,
        }
        self._connection = ConnectionConfig.from_librdkafka_dict(
            {name: option for name, option in options.items() if option is not None}
        )

    def application(self, group: str = NO_GROUP, transactional_id: str | None = None) -> Application:
        """A Quix Streams application to take consumers and producers from; it is never run."""
        transactional = {"transactional.id": transactional_id} if transactional_id is not None else {}
        return Application(
            self._connection,
            consumer_group=group,
            auto_offset_reset="earliest",
            auto_create_topics=False,
            use_changelog_topics=False,
            consumer_extra_config=dict(_CONSUMER_OPTIONS),
            producer_extra_config={**_PRODUCER_OPTIONS, **transactional},
            loglevel=None,
        )

    def admin_options(self) -> dict[str, Any]:
        """The options of an admin client."""
        return {
            **self._connection.as_librdkafka_dict(),
            "log.connection.close": False,
            "logger": logging.getLogger("quixstreams.admin"),
        }

    @contextmanager
    def outages(self) -> Iterator[None]:
        """Raise Kafka's errors as LogUnavailable, or Fenced."""
        try:
            yield
        except KafkaException as error:
            raise translated(error, self.address) from error


def translated(error: KafkaException, address: str) -> LogUnavailable | Fenced:
    """What an error of Kafka means to the caller."""
    reason: KafkaError = error.args[0]
    message = f"Kafka at {address}: {reason.str()} ({reason.name()})"
    return Fenced(message) if reason.code() in _FENCED else LogUnavailable(message)
