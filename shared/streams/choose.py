"""Which event log a service reads and writes: Kafka when KAFKA_BROKER is set, else Redis Streams."""

import warnings
from functools import partial

from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import ServiceSettings
from shared.status.health import Health
from shared.streams.event_log import EventLog, TopicSpec
from shared.streams.redis.log import RedisLog


def open_log(settings: ServiceSettings, service: str, health: Health | None = None) -> EventLog:
    """The event log of `service`. Does not connect: the first call that fails to raises LogUnavailable.

    `health` is told what readers of the log would not notice.
    """
    if settings.kafka_broker is not None:
        # Imported here because quixstreams takes a second and 100 MB, which a small site saves.
        with warnings.catch_warnings(record=True):  # quixstreams warns about a client of its own
            from shared.streams.kafka.log import KafkaLog

        return KafkaLog(settings, client_id=f"clickpulse-{service}", health=health)
    return RedisLog(
        partial(connect, settings.redis_url, most_reply_bytes=None),  # a batch is as large as its records
        redis_address(settings.redis_url),
        prefix=settings.shared_prefix,
        partitions=settings.partitions,
        retention_ms=settings.retention_ms,
        most_records=settings.redis_log_records,
        most_bytes=None if settings.redis_log_megabytes is None else settings.redis_log_megabytes << 20,
    )


def topic_spec(settings: ServiceSettings, topic: str) -> TopicSpec:
    """The topic as the settings want it."""
    is_exact = settings.sets_retention_of(topic)
    return TopicSpec(topic, settings.partitions, settings.retention_ms_of(topic), is_exact)
