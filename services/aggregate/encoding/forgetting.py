"""Leaves out the records of forgotten visitors, as if the log had never held them. Pure."""

from collections.abc import Sequence

from shared.events.counted import Decoded
from shared.privacy.erasures import Erasures
from shared.streams.event_log import Record


def may_erase(arrival_ms: Sequence[int], timestamps_ms: Sequence[int], erasures: Erasures) -> bool:
    """Whether an erasure may cover one of the records that arrived then and hold these events."""
    # Nearly never: only a rebuild and late events are older than an erasure.
    return min(min(arrival_ms), min(timestamps_ms, default=erasures.latest_ms + 1)) <= erasures.latest_ms


def without_erased(records: Sequence[Record], decoded: Decoded, erasures: Erasures) -> tuple[Sequence[Record], Decoded]:
    """The records of a slice and what they hold, `decoded`, without those that an erasure covers.

    A refused record has no visitor and no time but its key and its arrival.
    """
    kept: list[Record] = []
    left = Decoded([], [], {})
    remaining = iter(zip(decoded.events, decoded.timestamps, strict=True))
    for place, record in enumerate(records):
        refusal = decoded.refused.get(place)
        if refusal is not None:
            user_id = (record.key or b"").decode("utf-8", "surrogateescape")
            if not erasures.erases(user_id, record.timestamp_ms, record.timestamp_ms):
                left.refused[len(kept)] = refusal
                kept.append(record)
            continue
        event, timestamp_ms = next(remaining)
        if not erasures.erases(event.userId, timestamp_ms, record.timestamp_ms):
            left.events.append(event)
            left.timestamps.append(timestamp_ms)
            kept.append(record)
    return kept, left
