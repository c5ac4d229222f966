"""The configuration of topics on Kafka: ours, and the cost of another one. Pure."""

from collections.abc import Mapping
from typing import Final

from shared.events.time_units import HOUR_MS
from shared.streams.event_log import TopicSpec

REBUILD_HOURS: Final = 9
"""How far back a partition's state is rebuilt from the log: the longest window plus half an hour."""

_MOST_MESSAGE_BYTES: Final = 2 << 20  # twice a producer's default: enriching adds fields
_LEAST_MESSAGE_BYTES: Final = 1_000_000  # a little less than Kafka's default
_LOG_APPEND_TIME: Final = "LogAppendTime"
_FOREVER: Final = -1


def new_topic_options(spec: TopicSpec) -> dict[str, str]:
    """The configuration that a new topic gets."""
    return {
        "message.timestamp.type": _LOG_APPEND_TIME,  # starts by time use the append time, not the producer's
        "cleanup.policy": "delete",  # whatever the broker's default
        "retention.ms": str(spec.retention_ms),
        # Only closed segments expire, and by default one closes per week.
        "segment.ms": str(max(spec.retention_ms // 8, 600_000)),
        # As our producers compress, so that the broker need not. Plain JSON of other producers shrinks to a fifth.
        "compression.type": "zstd",
        "max.message.bytes": str(_MOST_MESSAGE_BYTES),
    }


def shortcomings(spec: TopicSpec, partitions: int, options: Mapping[str, str | None]) -> list[str]:
    """How an existing topic falls short of `spec`: a sentence each, with the cost.

    `options` is the topic's configuration as Kafka reports it. Options missing there are not judged.
    """
    found = []
    if partitions < spec.partitions:
        found.append(f"it has {partitions} partitions, not {spec.partitions}: they limit the replicas of a service")
    policy = options.get("cleanup.policy")
    if policy is not None and "compact" in policy:
        found.append(
            f"cleanup.policy is {policy}: only the latest record of each key is kept for sure, so rebuilt state "
            "lacks events of every visitor; set it to delete"
        )
    retention_ms = int(options.get("retention.ms") or _FOREVER)
    # A topic that only compacts expires nothing.
    if (policy is None or "delete" in policy) and retention_ms != _FOREVER and retention_ms < spec.retention_ms:
        found.append(_short_retention(retention_ms, spec.retention_ms))
    if spec.is_exact and "retention.ms" in options and not 0 <= retention_ms <= spec.retention_ms:
        kept = "for good" if retention_ms == _FOREVER else f"for {_hours(retention_ms)}"
        found.append(
            f"retention.ms is {retention_ms}: what producers sent is kept {kept}, not {_hours(spec.retention_ms)}; "
            f"set it to {spec.retention_ms}"
        )
    retention_bytes = int(options.get("retention.bytes") or _FOREVER)
    if retention_bytes != _FOREVER:
        found.append(
            f"retention.bytes is {retention_bytes}: a busy partition drops records before retention.ms, and "
            "rebuilt state may lack hours; set it to -1, or to what the busiest hours need"
        )
    most_bytes = most_message_bytes(options)
    if most_bytes is not None and most_bytes < _LEAST_MESSAGE_BYTES:
        found.append(
            f"max.message.bytes is {most_bytes}: larger records become dead letters, which may be cut or lost; set it "
            f"to {_MOST_MESSAGE_BYTES}"
        )
    timestamps = options.get("message.timestamp.type")
    if timestamps is not None and timestamps != _LOG_APPEND_TIME:
        found.append(
            f"message.timestamp.type is {timestamps}: the producers' clocks decide which events are late, future or "
            f"duplicates, and where a rebuild begins; set it to {_LOG_APPEND_TIME}"
        )
    return found


def most_message_bytes(options: Mapping[str, str | None]) -> int | None:
    """The largest batch of records that a topic takes, if its configuration is known."""
    value = options.get("max.message.bytes")
    return int(value) if value is not None else None


def _short_retention(retention_ms: int, asked_ms: int) -> str:
    kept = f"retention.ms is {retention_ms}: records are kept for {_hours(retention_ms)}, not {_hours(asked_ms)}; "
    cost = "a service that is down for longer loses events"
    missing_ms = REBUILD_HOURS * HOUR_MS - retention_ms
    if missing_ms > 0:
        cost += f", and rebuilt state lacks {_hours(missing_ms)} of the {REBUILD_HOURS} h that a rebuild reads"
    return kept + cost


def _hours(milliseconds: int) -> str:
    return f"{round(milliseconds / HOUR_MS, 2):g} h"
