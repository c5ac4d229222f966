"""The topics on Kafka: what we create, and what an existing one costs us that was created otherwise. Pure."""

from collections.abc import Mapping
from typing import Final

from shared.events.time_units import HOUR_MS
from shared.streams.event_log import TopicSpec

REBUILD_HOURS: Final = 9
"""How far back the state of a partition is rebuilt from the log: the longest window, and half an hour to spare."""

_LOG_APPEND_TIME: Final = "LogAppendTime"
_FOR_EVER: Final = -1


def new_topic_options(spec: TopicSpec) -> dict[str, str]:
    """The configuration that we create the topic with."""
    return {
        "message.timestamp.type": _LOG_APPEND_TIME,  # a position in time means when it was appended, never a claim
        "cleanup.policy": "delete",  # whatever the brokers' default
        "retention.ms": str(spec.retention_ms),
        # Only closed segments expire; the default closes one a week.
        "segment.ms": str(max(spec.retention_ms // 8, 600_000)),
        # As our producers send it, so that the broker has nothing to do; others' plain JSON shrinks to a fifth.
        "compression.type": "zstd",
        "max.message.bytes": str(2 << 20),  # twice a producer's default: room for what enriching adds
    }


def shortcomings(spec: TopicSpec, partitions: int, options: Mapping[str, str | None]) -> list[str]:
    """What an existing topic of so many partitions lacks of `spec`: a sentence each, with what it costs.

    `options` is the topic's configuration as Kafka tells it; what is missing there is not judged.
    """
    found = []
    if partitions < spec.partitions:
        found.append(f"it has {partitions} partitions, not {spec.partitions}: no more replicas of a service share it")
    policy = options.get("cleanup.policy")
    if policy is not None and "compact" in policy:
        found.append(
            f"cleanup.policy is {policy}: of each key only the latest record is sure to stay, so that state rebuilt "
            "from it lacks events of every visitor; set it to delete"
        )
    retention_ms = int(options.get("retention.ms") or _FOR_EVER)
    # A topic that only compacts expires nothing.
    if (policy is None or "delete" in policy) and retention_ms != _FOR_EVER and retention_ms < spec.retention_ms:
        found.append(_short_retention(retention_ms, spec.retention_ms))
    retention_bytes = int(options.get("retention.bytes") or _FOR_EVER)
    if retention_bytes != _FOR_EVER:
        found.append(
            f"retention.bytes is {retention_bytes}: a busy partition drops records before retention.ms, and state "
            "rebuilt from it may lack hours; set it to -1, or see that it holds the busiest hours"
        )
    timestamps = options.get("message.timestamp.type")
    if timestamps is not None and timestamps != _LOG_APPEND_TIME:
        found.append(
            f"message.timestamp.type is {timestamps}: which events are late, future or duplicates, and where a rebuild "
            f"begins, is decided by the producers' clocks; set it to {_LOG_APPEND_TIME}"
        )
    return found


def _short_retention(retention_ms: int, asked_ms: int) -> str:
    kept = f"retention.ms is {retention_ms}: records are kept for {_hours(retention_ms)}, not {_hours(asked_ms)}; "
    cost = "a service that is down for longer loses events"
    missing_ms = REBUILD_HOURS * HOUR_MS - retention_ms
    if missing_ms > 0:
        cost += f", and state rebuilt from it lacks {_hours(missing_ms)} of the {REBUILD_HOURS} h that it reads"
    return kept + cost


def _hours(milliseconds: int) -> str:
    return f"{round(milliseconds / HOUR_MS, 2):g} h"
