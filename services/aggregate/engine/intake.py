"""Intake: the records of a micro-batch sorted into counted, late, duplicate and refused, and the counted made columns.

What an event becomes depends on the record alone, its append time included, and never on when it is read: a replay of
the log finds the same late, future and duplicate events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Final

import numpy as np
import xxhash

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.batch import NO_DIGESTS, NONE, ROW, Batch, Conservation, LatestEvent
from services.aggregate.columns.digests import Digests, as_digests
from services.aggregate.engine.latest import latest_first
from services.aggregate.engine.windows import Windows, oldest_second
from shared.events.enriched import decode_counted_all
from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.streams.event_log import Record

_SLICE: Final = 256
"""Events that are decoded and taken apart at once: few enough that they are still in the processor's cache."""
_OLDEST_AGE: Final = int(np.iinfo(np.int16).max)
_digest = xxhash.xxh3_128_digest
_user_id_of, _event_id_of, _age_of = attrgetter("userId"), attrgetter("eventId"), attrgetter("age")
_arrival_ms_of = attrgetter("timestamp_ms")


@dataclass(frozen=True, slots=True)
class Intake:
    """A micro-batch of one partition, ready to be stored and folded, and the records that were refused."""

    batch: Batch
    conservation: Conservation
    refused: list[tuple[Record, Refusal]]
    next_offset: int
    last_arrival_ms: int


class Reception:
    """The records of a partition that were read and are not sorted yet, taken apart into columns.

    Names that are new join those of `windows` at once; nothing else of them changes.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._columns = windows.columns
        self._columns.shown.bound()
        self._columns.visitor.bound()
        self._sizes = windows.names.sizes()
        self._last: Record | None = None
        self._refused: list[tuple[Record, Refusal]] = []
        # Of the records that are events, side by side:
        self._records: list[Record] = []
        self._timestamp_ms: list[int] = []
        self._user_ids: list[bytes] = []  # digests
        self._event_ids: list[bytes | None] = []  # likewise
        self._shown: list[int] = []
        self._visitor: list[int] = []
        self._ages: list[int | None] = []

    def __len__(self) -> int:
        return len(self._records) + len(self._refused)

    def add(self, records: Sequence[Record]) -> None:
        """Take apart records that follow those that were added before."""
        for start in range(0, len(records), _SLICE):
            self._add_slice(records[start : start + _SLICE])

    def _add_slice(self, records: Sequence[Record]) -> None:
        self._last = records[-1]
        decoded = decode_counted_all([record.value for record in records])
        if decoded.refused:
            self._refused += [(records[place], refusal) for place, refusal in decoded.refused.items()]
            records = [record for place, record in enumerate(records) if place not in decoded.refused]
        events = decoded.events
        shown, visitor = self._columns.shown, self._columns.visitor
        self._records += records
        self._timestamp_ms += decoded.timestamps
        self._user_ids += map(_digest, map(_user_id_of, events))
        self._event_ids += [
            _digest(event_id) if event_id.__class__ is str else None for event_id in map(_event_id_of, events)
        ]
        self._shown += [shown[fields] for fields in map(shown.fields_of, events)]
        self._visitor += [visitor[fields] for fields in map(visitor.fields_of, events)]
        self._ages += map(_age_of, events)

    def sort_out(self) -> Intake:
        """Sort all that was added, at least one record, against the windows.

        Visitors and eventIds that are new join those of the windows.
        """
        assert self._last is not None
        windows = self._windows
        conservation = Conservation()
        arrival_ms = np.array(list(map(_arrival_ms_of, self._records)), np.int64)
        timestamp_ms = np.array(self._timestamp_ms, np.int64)
        future = timestamp_ms - arrival_ms > FUTURE_TOLERANCE_MS
        refused = self._refused + [(record, _future(record, ms)) for record, ms in self._chosen(future)]
        late = timestamp_ms < oldest_second(arrival_ms // 1000) * 1000
        conservation.late = int(np.count_nonzero(late))
        arrival_s = windows.seen_ids.arrivals(arrival_ms // 1000)
        counted, event_ids, event_id_arrival_s = self._without_duplicates(~(future | late), arrival_s)
        conservation.counted = int(np.count_nonzero(counted))
        conservation.dead_letters = len(refused)
        conservation.duplicates = len(self) - conservation.read
        visitors, new_visitors, new_visitor_codes = windows.visitors.codes(as_digests(self._user_ids)[counted])
        batch = Batch(
            rows=self._rows(counted, visitors, timestamp_ms),
            names=windows.names.since(self._sizes),
            new_visitors=new_visitors,
            new_visitor_codes=new_visitor_codes,
            event_ids=event_ids,
            event_id_arrival_s=event_id_arrival_s,
            latest_arrival_s=windows.seen_ids.latest_arrival_s,
            latest=self._latest(counted, timestamp_ms, arrival_ms),
        )
        return Intake(batch, conservation, refused, self._last.offset + 1, self._last.timestamp_ms)

    def _chosen(self, which: Bools) -> Iterator[tuple[Record, int]]:
        chosen = which.tolist()
        return zip(compress(self._records, chosen), compress(self._timestamp_ms, chosen), strict=True)

    def _without_duplicates(self, which: Bools, arrival_s: Ints) -> tuple[Bools, Digests, Ints]:
        """Those of `which` whose eventId did not arrive before; the digests of these ids, and their arrival."""
        has_id = which & np.array([event_id is not None for event_id in self._event_ids], np.bool_)
        if not has_id.any():
            return which, NO_DIGESTS, np.empty(0, np.int64)
        ids = compress(self._event_ids, has_id.tolist())
        digests = as_digests(ids)  # type: ignore[arg-type] # none of these is None
        arrival_s = arrival_s[has_id]
        accepted = self._windows.seen_ids.accept(digests, arrival_s)
        counted = which.copy()
        counted[has_id] = accepted
        return counted, digests[accepted], arrival_s[accepted]

    def _rows(self, counted: Bools, visitors: Ints, timestamp_ms: Ints) -> Array:
        rows = np.empty(len(visitors), ROW)
        rows["timestamp"] = timestamp_ms[counted]
        rows["visitor"] = visitors
        rows["age"] = _ages(self._ages)[counted]
        self._columns.shown.fill(rows, np.array(self._shown, np.int64)[counted])
        self._columns.visitor.fill(rows, np.array(self._visitor, np.int64)[counted])
        return rows

    def _latest(self, counted: Bools, timestamp_ms: Ints, arrival_ms: Ints) -> tuple[LatestEvent, ...]:
        """The events that may be among the latest, few in any batch, and all of those that are ahead of the clock."""
        is_ahead = counted & (timestamp_ms >= (self._windows.now_s + 1) * 1000)
        places = np.flatnonzero(counted & ~is_ahead & (timestamp_ms >= self._windows.latest.threshold_ms()))
        newest_first = places[np.lexsort((arrival_ms[places], timestamp_ms[places]))[::-1]]  # stable: ties by offset

        def events(places: Ints) -> Iterator[LatestEvent]:
            for place in places.tolist():
                record = self._records[place]
                yield LatestEvent(
                    self._timestamp_ms[place],
                    record.timestamp_ms,
                    record.offset,
                    self._user_ids[place],
                    record.value,
                )

        return (*latest_first(events(newest_first)), *events(np.flatnonzero(is_ahead)))


def _ages(ages: Sequence[int | None]) -> Array:
    """Ages as they are kept: what is no age, as an event may hold any number, becomes one that is near."""
    known = [NONE if age is None else age for age in ages]
    if max(known, default=0) > _OLDEST_AGE or min(known, default=0) < NONE:
        known = [NONE if age is None else min(max(age, 0), _OLDEST_AGE) for age in ages]
    return np.array(known, np.int16)


def _future(record: Record, timestamp_ms: int) -> Refusal:
    ahead_s = (timestamp_ms - record.timestamp_ms) // 1000
    limit_s = FUTURE_TOLERANCE_MS // 1000
    return Refusal(
        Reason.FUTURE, f"{ahead_s} s ahead of its arrival at {iso_second(record.timestamp_ms)}, limit {limit_s} s"
    )
