"""Builds a micro-batch from records: each is counted, late, a duplicate, refused or of another site.

Counted ones become columns.

The outcome depends on the log alone, append times included, and never on when it is read: a replay finds the same late,
future and duplicate events.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.batch import NO_DIGESTS, Batch, EventCounts, LatestEvent
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import SOURCE_FIELDS
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.encoding.event_columns import EventColumns, columns_of, joined_columns
from services.aggregate.encoding.forgetting import may_erase, without_erased
from services.aggregate.encoding.own_site import OwnSite
from services.aggregate.encoding.sale_builder import SaleBuilder
from services.aggregate.engine.latest import latest_first
from services.aggregate.engine.windows import Windows, oldest_second
from shared.events.counted import CountedDecoder
from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.streams.event_log import Record, RecordBatch, as_batch

COUNTED_EVENTS: Final = CountedDecoder(SOURCE_FIELDS)
"""With the default limits."""
_SLICE: Final = 256
"""Events that are decoded together: few enough to stay in the processor's cache."""


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
        own_site: OwnSite | None = None,
    ) -> None:
        """`erasures`: whose records to leave out, as if the log had never held them.

        `own_site`: the site whose events count; None: all.
        """
        self._own_site = own_site
        self._other_site = 0  # events
        self._counted_events = counted_events
        self._encoder = encoder
        self._erasures = erasures
        self._windows = windows
        self._known_names = encoder.names.names.marks()
        self._groups = encoder.names.combinations
        for group in self._groups:
            group.limit()
        self._last: Record | None = None
        self._refused: list[tuple[Record, Refusal]] = []
        # Of the records that are events, side by side:
        self._records = _Records()
        self._columns: list[EventColumns] = []
        self._sales = SaleBuilder()

    def __len__(self) -> int:
        return len(self._records) + len(self._refused) + self._other_site

    def add(self, records: RecordBatch) -> None:
        """Add records, which follow those added before."""
        for start in range(0, len(records), _SLICE):
            self._add_slice(as_batch(records[start : start + _SLICE]))

    def _add_slice(self, records: RecordBatch) -> None:
        self._last = records[-1]
        decoded = self._counted_events.decode_all(records.values)
        if self._erasures and may_erase(records.timestamps_ms, decoded.timestamps, self._erasures):
            kept, decoded = without_erased(records, decoded, self._erasures)
            records = as_batch(kept)
        if self._own_site is not None:
            own, decoded = self._own_site.among(records, decoded)
            self._other_site += len(records) - len(own)
            records = as_batch(own)
        if decoded.refused:
            self._refused += [(records[place], refusal) for place, refusal in decoded.refused.items()]
            records = RecordBatch([record for place, record in enumerate(records) if place not in decoded.refused])
        self._sales.add(decoded.events, len(self._records))
        self._records.add(records)
        self._columns.append(columns_of(decoded.events, decoded.timestamps, self._encoder))

    def build(self) -> Intake:
        """Classify everything that was added, at least one record. New visitors and event ids get their codes."""
        assert self._last is not None
        encoder = self._encoder
        counts = EventCounts()
        columns = joined_columns(self._columns, len(encoder.names.combinations))
        arrival_ms = np.array(self._records.arrival_ms(), np.int64)
        timestamp_ms = columns.timestamp_ms
        future = timestamp_ms - arrival_ms > FUTURE_TOLERANCE_MS
        refused = self._refused + [
            (self._records[place], _future(self._records[place], int(timestamp_ms[place])))
            for place in np.flatnonzero(future).tolist()
        ]
        late = timestamp_ms < oldest_second(arrival_ms // 1000) * 1000
        counts.late = int(np.count_nonzero(late))
        arrival_s = encoder.seen_ids.arrivals(arrival_ms // 1000)
        visitors_of = encoder.digester.digests(columns.user_hashes)
        counted, event_ids, event_id_arrival_s = self._without_duplicates(
            columns, ~(future | late), arrival_s, visitors_of
        )
        counts.counted = int(np.count_nonzero(counted))
        counts.dead_letters = len(refused)
        counts.other_site = self._other_site
        counts.duplicates = len(self) - counts.read
        visitors, new_visitors, new_visitor_codes = encoder.visitors.codes(visitors_of[counted])
        rows = self._rows(columns, counted, visitors)
        encoder.reach(encoder.seen_ids.latest_arrival_s)
        batch = Batch(
            rows=rows,
            names=encoder.names.names.since(self._known_names),
            new_visitors=new_visitors,
            new_visitor_codes=new_visitor_codes,
            event_ids=event_ids,
            event_id_arrival_s=event_id_arrival_s,
            sold=self._sales.build(
                rows,
                counted,
                visitors_of,
                arrival_s,
                encoder.seen_orders,
                encoder.digester,
                self._windows.sales.divided,
            ),
            latest_arrival_s=encoder.seen_ids.latest_arrival_s,
            latest=self._latest(counted, timestamp_ms, arrival_ms),
        )
        return Intake(batch, counts, refused, self._last.offset + 1, self._last.timestamp_ms)

    def _without_duplicates(
        self, columns: EventColumns, which: Bools, arrival_s: Ints, visitors: Digests
    ) -> tuple[Bools, Digests, Ints]:
        """`which` without the duplicates, and the digests and arrival of the ids that were accepted.

        An eventId is unique within its visitor: otherwise whoever guesses ids could suppress the clicks of others.
        """
        has_id = which & columns.has_event_id
        if not has_id.any():
            return which, NO_DIGESTS, np.empty(0, np.int64)
        hashes = columns.event_id_hashes[which[columns.has_event_id]]
        digests = self._encoder.digester.digests_within(visitors[has_id], hashes)
        arrival_s = arrival_s[has_id]
        accepted = self._encoder.seen_ids.accept(digests, arrival_s)
        counted = which.copy()
        counted[has_id] = accepted
        return counted, digests[accepted], arrival_s[accepted]

    def _rows(self, columns: EventColumns, counted: Bools, visitors: Ints) -> Array:
        rows = self._encoder.names.rows(columns.places, counted)
        rows["timestamp"] = columns.timestamp_ms[counted]
        rows["visitor"] = visitors
        rows["age"] = columns.ages[counted]
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
                event = self._counted_events.decode(record.value)
                assert not isinstance(event, Refusal)
                yield LatestEvent(
                    event.timestamp,
                    record.timestamp_ms,
                    record.offset,
                    event.userId,
                    self._counted_events.kept(record.value),
                )

        starts = run_starts(np.maximum(timestamp_ms[newest_first] // 1000, now_s)).tolist()
        by_second = [newest_first[start:end] for start, end in pairwise([*starts, len(newest_first)])]
        return tuple(event for own in by_second for event in latest_first(events(own)))


class _Records:
    """The records of several slices one after the other. Few of them are looked at."""

    def __init__(self) -> None:
        self._slices: list[RecordBatch] = []
        self._starts = [0]

    def __len__(self) -> int:
        return self._starts[-1]

    def add(self, records: RecordBatch) -> None:
        self._slices.append(records)
        self._starts.append(len(self) + len(records))

    def arrival_ms(self) -> list[int]:
        return [arrival_ms for records in self._slices for arrival_ms in records.timestamps_ms]

    def __getitem__(self, place: int) -> Record:
        number = bisect_right(self._starts, place) - 1
        return self._slices[number][place - self._starts[number]]


def _future(record: Record, timestamp_ms: int) -> Refusal:
    ahead_s = (timestamp_ms - record.timestamp_ms) // 1000
    limit_s = FUTURE_TOLERANCE_MS // 1000
    return Refusal(
        Reason.FUTURE, f"{ahead_s} s ahead of its arrival at {iso_second(record.timestamp_ms)}, limit {limit_s} s"
    )
