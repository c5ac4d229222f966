"""What an operator wants to know of an existing topic: its partitions, and when its records expire."""

from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka.admin import AdminClient, ConfigResource

from shared.events.time_units import DAY_MS, MINUTE_MS
from shared.streams.event_log import TopicFacts

_ANSWER_SECONDS: Final = 3.0
_LATE_MS: Final = 15 * MINUTE_MS  # brokers look every 5 minutes, and delete files a minute later
_FOREVER: Final = -1
_LONGEST_MS: Final = 36_500 * DAY_MS


def topic_facts(admin: AdminClient, topics: Sequence[str]) -> dict[str, TopicFacts]:
    """The facts of those topics that exist. Kafka's exceptions pass through."""
    existing = admin.list_topics(timeout=_ANSWER_SECONDS).topics
    found = [topic for topic in topics if topic in existing]
    if not found:
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in found]
    answers = admin.describe_configs(resources, request_timeout=_ANSWER_SECONDS)
    options = {
        resource.name: {name: option.value for name, option in answer.result(2 * _ANSWER_SECONDS).items()}
        for resource, answer in answers.items()
    }
    return {topic: TopicFacts(len(existing[topic].partitions), kept_ms(options[topic])) for topic in found}


def kept_ms(options: Mapping[str, str | None]) -> int | None:
    """How long a record stays at most: a segment expires as a whole, with its newest record."""
    if "delete" not in (options.get("cleanup.policy") or "delete"):
        return None  # compaction keeps the latest record of each key
    retention_ms = int(options.get("retention.ms") or _FOREVER)
    if not 0 <= retention_ms <= _LONGEST_MS:
        return None
    return retention_ms + int(options.get("segment.ms") or 0) + _LATE_MS
