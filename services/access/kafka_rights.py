"""The rights of each service in Kafka, as rows of ACLs. Pure."""

from collections.abc import Iterator
from typing import Final

from services.access.names import Names
from shared.events.refusals import dead_letter_topic
from shared.streams.kafka.access_rows import KafkaRight

_CREATED: Final = ("Create", "Describe", "DescribeConfigs")
"""Each service creates the topics that it uses, and warns about their configuration."""


def kafka_rights(names: Names) -> tuple[KafkaRight, ...]:
    """The rights of every service that connects to Kafka. Lookups and the dashboard have none."""
    return (
        *_writing("collect", names.raw),
        *_writing("collect", dead_letter_topic(names.raw)),
        *_between("enrich", names.raw, "enrich", names.enriched, dead_letter_topic(names.raw)),
        *_reading("aggregate", names.enriched, names.aggregate_group),
        *_writing("aggregate", dead_letter_topic(names.enriched)),
        *_of_sites(names),
        *_between("detect", names.enriched, "detect", names.offers, dead_letter_topic(names.offers)),
        *_reading("history", names.enriched, "history"),
        *_writing("history", dead_letter_topic(names.enriched)),
        *_writing("traffic", names.raw),
        *_writing("traffic", dead_letter_topic(names.raw)),
    )


def _of_sites(names: Names) -> Iterator[KafkaRight]:
    """Each site has a group of its own."""
    if names.site_prefixes:
        yield KafkaRight("aggregate", "group", f"{names.aggregate_group}-", "Read", is_prefix=True)


def _between(user: str, source: str, group: str, *targets: str) -> Iterator[KafkaRight]:
    """Read a topic and write others in one transaction."""
    yield from _reading(user, source, group)
    for target in targets:
        yield from _writing(user, target)
        # Ends a hanging transaction by one that commits an offset of the topic that it last wrote.
        yield KafkaRight(user, "topic", target, "Read")
    yield KafkaRight(user, "transactional-id", f"{group}-", "Write", is_prefix=True)


def _reading(user: str, topic: str, group: str) -> Iterator[KafkaRight]:
    yield from (KafkaRight(user, "topic", topic, operation) for operation in ("Read", *_CREATED))
    yield KafkaRight(user, "group", group, "Read")


def _writing(user: str, topic: str) -> Iterator[KafkaRight]:
    yield from (KafkaRight(user, "topic", topic, operation) for operation in ("Write", *_CREATED))
