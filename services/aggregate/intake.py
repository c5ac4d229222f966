"""Intake: the records of a micro-batch sorted into counted, late, duplicate and refused, and the counted made columns.

What an event becomes depends on the record alone, its append time included, and never on when it is read: a replay of
the log finds the same late, future and duplicate events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter

import numpy as np

from services.aggregate.arrays import Array, Bools, Ints
from services.aggregate.batch import NO_DIGESTS, ROW, Batch, Conservation, LatestEvent
from services.aggregate.digests import Digests, digests_of
from services.aggregate.latest import latest_first
from services.aggregate.windows import Windows, oldest_second
from shared.events import EnrichedEvent, decode_enriched_all
from shared.refusals import Reason, Refusal
from shared.streams import Record
from shared.timestamps import FUTURE_TOLERANCE_MS, iso_second

_arrival_ms = itemgetter(Record._fields.index("timestamp_ms"))


@dataclass(frozen=True, slots=True)
class Intake:
    """A micro-batch of one partition, ready to be stored and folded, and the records that were refused."""

    batch: Batch
    conservation: Conservation
    refused: list[tuple[Record, Refusal]]
    next_offset: int


@dataclass(frozen=True, slots=True)
class _Arrived:
    """Records and their events side by side, with when they arrived and happened (epoch ms)."""

    records: Sequence[Record]
    events: Sequence[EnrichedEvent]
    arrival_ms: Ints
    timestamp_ms: Ints

    def only(self, which: Bools) -> "_Arrived":
        if which.all():
            return self
        chosen = which.tolist()
        return _Arrived(
            list(compress(self.records, chosen)),
            list(compress(self.events, chosen)),
            self.arrival_ms[which],
            self.timestamp_ms[which],
        )


def take_in(records: Sequence[Record], windows: Windows) -> Intake:
    """Sort at least one record of a partition against its windows.

    New names, visitors and eventIds join those of `windows` at once; nothing else changes before the batch is folded.
    """
    arrived, refused = _decode(records)
    conservation = Conservation()
    future = arrived.timestamp_ms - arrived.arrival_ms > FUTURE_TOLERANCE_MS
    if future.any():
        ahead = arrived.only(future)
        refused += [(record, _future(event, record)) for record, event in zip(ahead.records, ahead.events, strict=True)]
    late = arrived.timestamp_ms < oldest_second(arrived.arrival_ms // 1000) * 1000
    conservation.late = int(np.count_nonzero(late))
    arrived = arrived.only(~(future | late))
    arrived, event_ids, event_id_arrival_s = _without_duplicates(arrived, windows)
    conservation.counted = len(arrived.events)
    conservation.dead_letters = len(refused)
    conservation.duplicates = len(records) - conservation.read
    return Intake(
        _batch(arrived, event_ids, event_id_arrival_s, windows), conservation, refused, records[-1].offset + 1
    )


def _decode(records: Sequence[Record]) -> tuple[_Arrived, list[tuple[Record, Refusal]]]:
    decoded = decode_enriched_all([record.value for record in records])
    refused = [(records[place], refusal) for place, refusal in decoded.refused.items()]
    if refused:
        records = [record for place, record in enumerate(records) if place not in decoded.refused]
    arrival_ms = np.array(list(map(_arrival_ms, records)), np.int64)
    return _Arrived(records, decoded.events, arrival_ms, np.array(decoded.timestamps, np.int64)), refused


def _without_duplicates(arrived: _Arrived, windows: Windows) -> tuple[_Arrived, Digests, Ints]:
    """Leave out the events whose eventId arrived before; also the digests of the ids left, and their arrival."""
    ids = [event.eventId for event in arrived.events]
    has_id = np.array([event_id.__class__ is str for event_id in ids], np.bool_)
    if not has_id.any():
        return arrived, NO_DIGESTS, np.empty(0, np.int64)
    if not has_id.all():
        ids = list(compress(ids, has_id.tolist()))
    digests = digests_of(ids)  # type: ignore[arg-type] # text, all of them
    arrival_s = windows.seen_ids.arrivals(arrived.arrival_ms // 1000)[has_id]
    accepted = windows.seen_ids.accept(digests, arrival_s)
    has_id[has_id] = ~accepted
    return arrived.only(~has_id), digests[accepted], arrival_s[accepted]


def _batch(arrived: _Arrived, event_ids: Digests, event_id_arrival_s: Ints, windows: Windows) -> Batch:
    sizes = windows.names.sizes()
    rows = np.empty(len(arrived.events), ROW)
    rows["timestamp"] = arrived.timestamp_ms
    rows["visitor"], new_visitors, new_codes = windows.visitors.codes(
        digests_of([event.userId for event in arrived.events])
    )
    windows.columns.fill(rows, arrived.events)
    return Batch(
        rows=rows,
        names=windows.names.since(sizes),
        new_visitors=new_visitors,
        new_visitor_codes=new_codes,
        event_ids=event_ids,
        event_id_arrival_s=event_id_arrival_s,
        latest=_latest(arrived, windows),
    )


def _latest(arrived: _Arrived, windows: Windows) -> tuple[LatestEvent, ...]:
    """The events that may be among the latest, few in any batch, and all of those that are ahead of the clock."""
    times = arrived.timestamp_ms
    is_ahead = times >= (windows.now_s + 1) * 1000
    candidates = np.flatnonzero(~is_ahead & (times >= windows.latest.threshold_ms()))
    newest_first = candidates[
        np.lexsort((arrived.arrival_ms[candidates], times[candidates]))[::-1]
    ]  # stable: by offset

    def events(places: Array) -> Iterator[LatestEvent]:
        for place in places.tolist():
            record, event = arrived.records[place], arrived.events[place]
            yield LatestEvent(event.timestamp, record.timestamp_ms, record.offset, event)

    return (*latest_first(events(newest_first)), *events(np.flatnonzero(is_ahead)))


def _future(event: EnrichedEvent, record: Record) -> Refusal:
    ahead_s = (event.timestamp - record.timestamp_ms) // 1000
    limit_s = FUTURE_TOLERANCE_MS // 1000
    return Refusal(
        Reason.FUTURE, f"{ahead_s} s ahead of its arrival at {iso_second(record.timestamp_ms)}, limit {limit_s} s"
    )
