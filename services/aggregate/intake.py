"""Intake: the records of a micro-batch sorted into counted, late, duplicate and refused, and the counted made columns.

What an event becomes depends on the record alone, its append time included, and never on when it is read: a replay of
the log finds the same late, future and duplicate events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.aggregate.arrays import Ints
from services.aggregate.batch import DEVICE_CODES, OTHER_DEVICE, Batch, Conservation, LatestEvent, Product
from services.aggregate.duplicates import digest
from services.aggregate.latest import latest_first
from services.aggregate.windows import Windows, oldest_second
from shared.events import UNKNOWN, EnrichedEvent, decode_enriched
from shared.refusals import Reason, Refusal
from shared.streams import Record
from shared.timestamps import FUTURE_TOLERANCE_MS, iso_second


@dataclass(frozen=True, slots=True)
class Intake:
    """A micro-batch of one partition, ready to be stored and folded, and the records that were refused."""

    batch: Batch
    conservation: Conservation
    refused: list[tuple[Record, Refusal]]
    next_offset: int


def take_in(records: Sequence[Record], windows: Windows) -> Intake:
    """Sort at least one record of a partition against its windows.

    New names and eventIds join those of `windows` at once, as folding the batch would have it; nothing else changes.
    """
    conservation = Conservation()
    refused: list[tuple[Record, Refusal]] = []
    counted: list[tuple[Record, EnrichedEvent]] = []
    digests: list[bytes] = []
    digest_arrivals_s: list[int] = []
    for record in records:
        event = decode_enriched(record.value)
        if isinstance(event, Refusal):
            refused.append((record, event))
        elif event.timestamp - record.timestamp_ms > FUTURE_TOLERANCE_MS:
            refused.append((record, _future(event, record)))
        elif event.timestamp < oldest_second(record.timestamp_ms // 1000) * 1000:
            conservation.late += 1
        elif isinstance(event.eventId, str):
            known, arrival_s = digest(event.eventId), record.timestamp_ms // 1000
            if windows.seen_ids.has(known, arrival_s):
                conservation.duplicates += 1
            else:
                windows.seen_ids.add(known, arrival_s)
                digests.append(known)
                digest_arrivals_s.append(arrival_s)
                counted.append((record, event))
        else:
            counted.append((record, event))
    conservation.counted = len(counted)
    conservation.dead_letters = len(refused)
    batch = replace(
        _columns(counted, windows), digest=b"".join(digests), digest_arrival_s=np.array(digest_arrivals_s, np.int64)
    )
    return Intake(batch, conservation, refused, records[-1].offset + 1)


def _columns(counted: list[tuple[Record, EnrichedEvent]], windows: Windows) -> Batch:
    visitors, products, countries = windows.visitors, windows.products, windows.countries
    sizes = len(visitors), len(products), len(countries)
    events = [event for _, event in counted]
    titles: dict[str, str] = {}
    product_codes: list[int] = []
    for event in events:
        if event.productId is None:
            product_codes.append(-1)
            continue
        product_codes.append(products.code(Product(event.productId, event.category or UNKNOWN)))
        if event.title is not None and windows.titles.get(event.productId) != event.title:
            titles[event.productId] = event.title
    milliseconds = _ints([event.timestamp for event in events])
    return Batch(
        second=milliseconds // 1000,
        visitor=_ints([visitors.code(event.userId) for event in events]),
        device=_ints([DEVICE_CODES.get(event.deviceType, OTHER_DEVICE) for event in events]),
        product=_ints(product_codes),
        country=_ints([countries.code(event.country) for event in events]),
        latest=_latest(counted, milliseconds, windows),
        new_visitors=tuple(visitors.since(sizes[0])),
        new_products=tuple(products.since(sizes[1])),
        new_countries=tuple(countries.since(sizes[2])),
        titles=tuple(titles.items()),
    )


def _latest(
    counted: list[tuple[Record, EnrichedEvent]], milliseconds: Ints, windows: Windows
) -> tuple[LatestEvent, ...]:
    """The rows that may be among the latest, few in any batch, and all of those that are ahead of the clock."""
    arrivals = _ints([record.timestamp_ms for record, _ in counted])
    newest_first = np.lexsort((arrivals, milliseconds))[::-1]  # stable, so that ties keep the log's order
    times = milliseconds[newest_first]
    is_ahead = times >= (windows.now_s + 1) * 1000
    is_candidate = ~is_ahead & (times >= windows.latest.threshold_ms())

    def events(rows: Ints) -> Iterator[LatestEvent]:
        for record, event in map(counted.__getitem__, rows):
            yield LatestEvent(event.timestamp, record.timestamp_ms, record.offset, event)

    return (*latest_first(events(newest_first[is_candidate])), *events(newest_first[is_ahead]))


def _future(event: EnrichedEvent, record: Record) -> Refusal:
    ahead_s = (event.timestamp - record.timestamp_ms) // 1000
    limit_s = FUTURE_TOLERANCE_MS // 1000
    return Refusal(
        Reason.FUTURE, f"{ahead_s} s ahead of its arrival at {iso_second(record.timestamp_ms)}, limit {limit_s} s"
    )


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)
