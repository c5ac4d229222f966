"""Builds a micro-batch from records: each is counted, late, a duplicate or refused. Counted ones become columns.

The outcome depends on the log alone, append times included, and never on when it is read: a replay finds the same late,
future and duplicate events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from operator import attrgetter
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.batch import NO_DIGESTS, NONE, Batch, EventCounts, LatestEvent
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import SOURCE_FIELDS
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.encoding.forgetting import without_erased
from services.aggregate.engine.latest import latest_first
from services.aggregate.engine.windows import Windows, oldest_second
from shared.events.counted import CountedDecoder
from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.streams.event_log import Record

COUNTED_EVENTS: Final = CountedDecoder(SOURCE_FIELDS)
"""With the default limits."""
_SLICE: Final = 256
"""Events that are decoded together: few enough to stay in the processor's cache."""
_user_id_of, _event_id_of, _age_of = attrgetter("userId"), attrgetter("eventId"), attrgetter("age")
_arrival_ms_of = attrgetter("timestamp_ms")


@dataclass(frozen=True, slots=True)
class Intake:
    """A micro-batch of one partition, ready to be stored and folded, and the records that were refused."""

    batch: Batch
    counts: EventCounts
    refused: list[tuple[Record, Refusal]]
    next_offset: int
    last_arrival_ms: int


class BatchBuilder:
    """Collects the records of one micro-batch as columns. New names get their codes at once."""

    def __init__(
        self,
        encoder: Encoder,
        windows: Windows,
        erasures: Erasures = NO_ERASURES,
        counted_events: CountedDecoder = COUNTED_EVENTS,
    ) -> None:
        """`erasures`: whose records to leave out, as if the log had never held them."""
        self._counted_events = counted_events
        self._encoder = encoder
        self._erasures = erasures
        self._windows = windows
        self._sizes = encoder.names.names.sizes()
        self._groups = encoder.names.combinations
        for group in self._groups:
            group.limit()
        self._last: Record | None = None
        self._refused: list[tuple[Record, Refusal]] = []
        # Of the records that are events, side by side:
        self._records: list[Record] = []
        self._timestamp_ms: list[int] = []
        self._user_ids: list[str] = []
        self._user_hashes: list[bytes] = []
        self._event_ids: list[object] = []  # text, or nothing
        self._places: list[list[int]] = [[] for _ in self._groups]
        self._ages: list[int | None] = []

    def __len__(self) -> int:
        return len(self._records) + len(self._refused)

    def add(self, records: Sequence[Record]) -> None:
        """Add records, which follow those added before."""
        for start in range(0, len(records), _SLICE):
            self._add_slice(records[start : start + _SLICE])

    def _add_slice(self, records: Sequence[Record]) -> None:
        self._last = records[-1]
        decoded = self._counted_events.decode_all([record.value for record in records])
        if self._erasures:
            records, decoded = without_erased(records, decoded, self._erasures)
        if decoded.refused:
            self._refused += [(records[place], refusal) for place, refusal in decoded.refused.items()]
            records = [record for place, record in enumerate(records) if place not in decoded.refused]
        events = decoded.events
        self._records += records
        self._timestamp_ms += decoded.timestamps
        user_ids = list(map(_user_id_of, events))
        self._user_ids += user_ids
        self._user_hashes += self._encoder.digester.hashes(user_ids)
        self._event_ids += map(_event_id_of, events)
        for group, places in zip(self._groups, self._places, strict=True):
            places += group.places(events)
        self._ages += map(_age_of, events)

    def build(self) -> Intake:
        """Classify everything that was added, at least one record. New visitors and event ids get their codes."""
        assert self._last is not None
        encoder = self._encoder
        counts = EventCounts()
        arrival_ms = np.array(list(map(_arrival_ms_of, self._records)), np.int64)
        timestamp_ms = np.array(self._timestamp_ms, np.int64)
        future = timestamp_ms - arrival_ms > FUTURE_TOLERANCE_MS
        refused = self._refused + [(record, _future(record, ms)) for record, ms in self._chosen(future)]
        late = timestamp_ms < oldest_second(arrival_ms // 1000) * 1000
        counts.late = int(np.count_nonzero(late))
        arrival_s = encoder.seen_ids.arrivals(arrival_ms // 1000)
        visitors_of = encoder.digester.digests(self._user_hashes)
        counted, event_ids, event_id_arrival_s = self._without_duplicates(~(future | late), arrival_s, visitors_of)
        counts.counted = int(np.count_nonzero(counted))
        counts.dead_letters = len(refused)
        counts.duplicates = len(self) - counts.read
        visitors, new_visitors, new_visitor_codes = encoder.visitors.codes(visitors_of[counted])
        batch = Batch(
            rows=self._rows(counted, visitors, timestamp_ms),
            names=encoder.names.names.since(self._sizes),
            new_visitors=new_visitors,
            new_visitor_codes=new_visitor_codes,
            event_ids=event_ids,
            event_id_arrival_s=event_id_arrival_s,
            latest_arrival_s=encoder.seen_ids.latest_arrival_s,
            latest=self._latest(counted, timestamp_ms, arrival_ms),
        )
        return Intake(batch, counts, refused, self._last.offset + 1, self._last.timestamp_ms)

    def _chosen(self, which: Bools) -> Iterator[tuple[Record, int]]:
        chosen = which.tolist()
        return zip(compress(self._records, chosen), compress(self._timestamp_ms, chosen), strict=True)

    def _without_duplicates(self, which: Bools, arrival_s: Ints, visitors: Digests) -> tuple[Bools, Digests, Ints]:
        """`which` without the duplicates, and the digests and arrival of the ids that were accepted.

        An eventId is unique within its visitor: otherwise whoever guesses ids could suppress the clicks of others.
        """
        has_id = which & np.array([event_id.__class__ is str for event_id in self._event_ids], np.bool_)
        if not has_id.any():
            return which, NO_DIGESTS, np.empty(0, np.int64)
        ids: Iterator[str] = compress(self._event_ids, has_id.tolist())  # type: ignore[arg-type] # these are text
        digester = self._encoder.digester
        digests = digester.digests_within(visitors[has_id], digester.hashes(ids))
        arrival_s = arrival_s[has_id]
        accepted = self._encoder.seen_ids.accept(digests, arrival_s)
        counted = which.copy()
        counted[has_id] = accepted
        return counted, digests[accepted], arrival_s[accepted]

    def _rows(self, counted: Bools, visitors: Ints, timestamp_ms: Ints) -> Array:
        rows = self._encoder.names.rows(self._places, counted)
        rows["timestamp"] = timestamp_ms[counted]
        rows["visitor"] = visitors
        rows["age"] = np.array([NONE if age is None else age for age in self._ages], np.int16)[counted]
        return rows

    def _latest(self, counted: Bools, timestamp_ms: Ints, arrival_ms: Ints) -> tuple[LatestEvent, ...]:
        """The events that may be among the latest now, or when their second comes. These are few."""
        now_s = self._windows.now_s
        is_ahead = counted & (timestamp_ms >= (now_s + 1) * 1000)
        is_candidate = counted & ~is_ahead & (timestamp_ms >= self._windows.latest.threshold_ms())
        if is_ahead.any():
            ahead = np.flatnonzero(is_ahead)
            thresholds_ms = self._windows.waiting.thresholds_ms(now_s)
            of_second = np.minimum(timestamp_ms[ahead] // 1000 - now_s, len(thresholds_ms)) - 1
            is_candidate[ahead[timestamp_ms[ahead] >= thresholds_ms[of_second]]] = True
        places = np.flatnonzero(is_candidate)
        newest_first = places[np.lexsort((arrival_ms[places], timestamp_ms[places]))[::-1]]  # stable: ties by offset

        def events(places: Ints) -> Iterator[LatestEvent]:
            for place in places.tolist():
                record = self._records[place]
                yield LatestEvent(
                    self._timestamp_ms[place],
                    record.timestamp_ms,
                    record.offset,
                    self._user_ids[place],
                    self._counted_events.kept(record.value),
                )

        starts = run_starts(np.maximum(timestamp_ms[newest_first] // 1000, now_s)).tolist()
        by_second = [newest_first[start:end] for start, end in pairwise([*starts, len(newest_first)])]
        return tuple(event for own in by_second for event in latest_first(events(own)))


def _future(record: Record, timestamp_ms: int) -> Refusal:
    ahead_s = (timestamp_ms - record.timestamp_ms) // 1000
    limit_s = FUTURE_TOLERANCE_MS // 1000
    return Refusal(
        Reason.FUTURE, f"{ahead_s} s ahead of its arrival at {iso_second(record.timestamp_ms)}, limit {limit_s} s"
    )
