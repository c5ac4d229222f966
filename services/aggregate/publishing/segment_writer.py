"""Writes the new and changed minute segments of this replica's partitions to Redis."""

from collections.abc import Container, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import redis

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.rollups.segments import PartitionMinutes, encode_segment
from shared.events.time_units import HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.segment_keys import (
    MOST_SEGMENTS,
    SEGMENTS_KEY,
    parse_segment_field,
    parse_version,
    segment_field,
    segment_key,
)
from shared.status.unreadable import UNREADABLE

_MOST_ROWS_AT_ONCE: Final = 1_000_000
"""Rows of one transaction, for example after a restart."""
_PUBLISHES: Final = 4
"""Over how many publishes the segments of a transaction are encoded. All partitions' minute at once would make one
publish in sixty take twice as long."""
_FEW_ROWS: Final = 12_000
"""As many rows are always encoded at once, in about ten milliseconds."""
_ROWS_OF_A_SEGMENT: Final = 2_500
"""A segment costs as much as so many rows more."""
_LOOK_SECONDS: Final = 5
"""How often to check what Redis has, because a replica that lost a partition without noticing may have written."""
_GRACE_SECONDS: Final = 2 * MINUTE_SECONDS  # how long a segment outlives its minute, because clocks differ


Wanted = tuple[int, Sequence[Array], Dictionaries]
"""Version, rows and names of a segment."""


def _cost(wanted: Wanted) -> int:
    """The rows of a segment, and those that it costs by itself."""
    return _ROWS_OF_A_SEGMENT + sum(map(len, wanted[1]))


class SegmentWriter:
    """One replica's segments in Redis. Not thread-safe. Redis's exceptions pass through.

    It compares with what Redis has: after a restart it does not rewrite existing versions, and after a flush or a
    restart of Redis it writes what was lost.
    """

    def __init__(self, client: redis.Redis, prefix: str, kept_seconds: int, most_events: int) -> None:
        """`kept_seconds` is how far back segments reach, `most_events` the maximum rows of each."""
        self._client = client
        self._prefix = prefix
        self._kept_seconds = kept_seconds
        self._most_events = most_events
        self._present: dict[str, int] | None = None  # field → version; None: unknown
        self._look_due_s = 0  # publish instant
        # Field → version and segment, until all that are due are encoded.
        self._encoded: dict[str, tuple[int, bytes]] = {}

    def write(self, instant_s: int, partitions: Sequence[PartitionMinutes]) -> None:
        """Update the segments in Redis to those of `partitions`, at a publish instant (epoch seconds).

        Of many that are due, each call encodes a share, and the last of these writes all of them.
        """
        if self._present is None or instant_s >= self._look_due_s:
            self._present = self._look()
            self._look_due_s = instant_s + _LOOK_SECONDS
        present, self._present = self._present, None  # unknown after a transaction that may have been executed
        wanted = {
            segment_field(number, own.partition): (version, chunks, own.names)
            for own in partitions
            for number, (version, chunks) in own.minutes.items()
        }
        due = list(self._due(present, wanted))
        if not self._encode_some(due, wanted):
            due = []
        gone = list(self._gone(present, wanted, {own.partition for own in partitions}, instant_s))
        if not due and not gone and not present.keys() & wanted.keys():
            self._present = present
            return
        witness = max(present.keys() & wanted.keys(), default=None)
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hget(self._prefix + SEGMENTS_KEY, witness or "")
            for field in due:
                version, segment = self._encoded.pop(field)
                expires_s = parse_segment_field(field)[0] * MINUTE_SECONDS + self._kept_seconds + _GRACE_SECONDS
                pipeline.set(self._prefix + segment_key(field), segment, exat=expires_s)
                pipeline.hset(self._prefix + SEGMENTS_KEY, field, version)
                present[field] = version
            for field in gone:
                pipeline.delete(self._prefix + segment_key(field))
                pipeline.hdel(self._prefix + SEGMENTS_KEY, field)
                del present[field]
            pipeline.expire(self._prefix + SEGMENTS_KEY, self._kept_seconds + _GRACE_SECONDS)
            version_there = pipeline.execute()[0]
        if witness is None or version_there is not None:
            self._present = present  # otherwise Redis lost it, and the next write checks again

    def _encode_some(self, due: Sequence[str], wanted: Mapping[str, Wanted]) -> bool:
        """Encode a share of the segments that are due. Whether all of them are encoded.

        One that changed since it was encoded is written as it was, and is then due again: otherwise segments that
        change with each publish would never be written.
        """
        self._encoded = {field: self._encoded[field] for field in due if field in self._encoded}
        missing = [field for field in due if field not in self._encoded]
        share = max(sum(_cost(wanted[field]) for field in due) // _PUBLISHES, _FEW_ROWS)
        rows = 0
        for place, field in enumerate(missing):
            rows += _cost(wanted[field])
            if place and rows > share:
                return False
            version, chunks, names = wanted[field]
            self._encoded[field] = version, encode_segment(chunks, names, self._most_events)
        return True

    def _look(self) -> dict[str, int]:
        """What Redis has. Removes what no replica wrote."""
        key = self._prefix + SEGMENTS_KEY
        entries: Any = self._client.hlen(key)
        if entries > MOST_SEGMENTS:
            UNREADABLE.drop(SEGMENTS_KEY, f"{entries:,} entries", "deleted")
            self._client.delete(key)
            return {}
        fields: Any = self._client.hgetall(key)
        present, foreign = {}, []
        for field, version in fields.items():
            try:
                text = field.decode()
                parse_segment_field(text)
                present[text] = parse_version(version)
            except ValueError as error:
                UNREADABLE.drop(SEGMENTS_KEY, str(error), "removed")
                foreign.append(field)
        if foreign:
            self._client.hdel(key, *foreign)
        return present

    def _due(self, present: dict[str, int], wanted: Mapping[str, Wanted]) -> Iterator[str]:
        """The segments that Redis lacks or has in another version, newest first, up to the limit of one transaction."""
        rows_due = 0
        for field, own in sorted(wanted.items(), key=itemgetter(0), reverse=True):
            if present.get(field) != own[0] and rows_due < _MOST_ROWS_AT_ONCE:
                rows_due += _cost(own)
                yield field

    def _gone(self, present: dict[str, int], wanted: Container[str], own: set[int], instant_s: int) -> Iterator[str]:
        """The segments to remove: of this replica's partitions at once, of others once they have expired."""
        for field in present:
            minute, partition = parse_segment_field(field)
            is_expired = (minute + 1) * MINUTE_SECONDS <= instant_s - self._kept_seconds
            is_of_no_event = minute * MINUTE_SECONDS > instant_s + HOUR_SECONDS
            if (partition in own and field not in wanted) or (partition not in own and (is_expired or is_of_no_event)):
                yield field
