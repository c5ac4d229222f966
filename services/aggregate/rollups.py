"""Rollups: what a partition's windows say at their publish instant, merged over partitions.

Events of a visitor are all on one partition, so that even distinct visitors add up over partitions.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import Final, TypeVar

import numpy as np

from services.aggregate.arrays import Array, Ints, trailing
from services.aggregate.batch import BOT_DEVICE, Conservation, LatestEvent, Product
from services.aggregate.latest import one_a_visitor
from services.aggregate.names import Names
from services.aggregate.popularity import HOUR_SECONDS
from services.aggregate.visitors import ALL_ROW, BOT_ROW, HUMAN_ROW
from services.aggregate.windows import HALF_HOUR_SECONDS, MINUTE_SECONDS, Windows
from shared.events import DEVICE_TYPES
from shared.rollup_keys import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    MINUTES_SHOWN,
    WINDOW_SECONDS,
    WINDOWS_WITH_PREVIOUS,
)

DEVICE_WINDOW_SECONDS: Final = 600
SEED_VISITS_SECONDS: Final = 900
_SEED_VISITS_MINUTES: Final = SEED_VISITS_SECONDS // MINUTE_SECONDS + 1  # the first and the last are cut

_Name = TypeVar("_Name", bound=Hashable)

_AUDIENCE_ROW = {"human": HUMAN_ROW, "bot": BOT_ROW, "all": ALL_ROW}


@dataclass(frozen=True, slots=True)
class PartitionRollup:
    """The figures of one partition, or the sum of several, all at the same publish instant. Rows are AUDIENCES."""

    now_s: int
    newest_event_ms: int
    conservation: Conservation
    visitors: Ints  # audience × WINDOW_SECONDS
    views: Ints  # audience × WINDOW_SECONDS and the previous periods
    views_1m: Ints  # audience × MINUTES_SHOWN
    visitors_1m: Ints
    views_30m: Ints  # audience × HALF_HOURS_SHOWN
    visitors_30m: Ints
    device_visitors_10m: Ints  # by DEVICE_TYPES
    device_events_10m: Ints
    visits_15m: Ints  # by minute that the trailing 15 minutes touch, oldest first
    products_1h: Counter[tuple[Product, int]]  # (product, HUMAN or BOT) → events
    countries_1h: Counter[tuple[str, int]]
    titles: Mapping[str, str]
    latest_events: list[tuple[LatestEvent, int]]  # with the partition, newest first
    latest_visitors: list[tuple[LatestEvent, int]]


def roll_up(windows: Windows, partition: int) -> PartitionRollup:
    """Read the figures of one partition off its windows."""
    now_s = windows.now_s
    per_second = _by_audience(windows.views)
    this_minute = now_s - now_s % MINUTE_SECONDS
    this_half_hour = now_s - now_s % HALF_HOUR_SECONDS
    since = (now_s - HOUR_SECONDS + 1) * 1000
    ten_minutes = trailing(windows.views, now_s, DEVICE_WINDOW_SECONDS)
    return PartitionRollup(
        now_s=now_s,
        newest_event_ms=windows.newest_event_ms,
        conservation=replace(windows.conservation),
        visitors=np.array(
            [
                [
                    windows.last_seen.distinct(_AUDIENCE_ROW[audience], now_s, seconds)
                    for seconds in WINDOW_SECONDS.values()
                ]
                for audience in AUDIENCES
            ]
        ),
        views=np.stack(
            [trailing(per_second, end, seconds).sum(axis=1) for end, seconds in _view_windows(now_s)], axis=1
        ),
        views_1m=_buckets(per_second, now_s, this_minute, MINUTE_SECONDS, MINUTES_SHOWN),
        visitors_1m=windows.by_minute.counts(now_s),
        views_30m=_buckets(per_second, now_s, this_half_hour, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN),
        visitors_30m=windows.by_half_hour.counts(now_s),
        device_visitors_10m=np.array(
            [windows.last_seen.distinct(row, now_s, DEVICE_WINDOW_SECONDS) for row in range(len(DEVICE_TYPES))]
        ),
        device_events_10m=ten_minutes.sum(axis=1),
        visits_15m=_visits_by_minute(per_second[AUDIENCES.index("all")], now_s),
        products_1h=_counter(windows.products, windows.popularity.products),
        countries_1h=_counter(windows.countries, windows.popularity.countries),
        titles=windows.titles,
        latest_events=[(event, partition) for event in windows.latest.events if event.timestamp_ms >= since],
        latest_visitors=[(event, partition) for event in windows.latest.visitors if event.timestamp_ms >= since],
    )


def merge(rollups: Sequence[PartitionRollup]) -> PartitionRollup:
    """The rollup of all events of at least one partition; associative and commutative. All must end at one instant."""
    if len(rollups) == 1:
        return rollups[0]
    assert len({rollup.now_s for rollup in rollups}) == 1
    conservation = Conservation()
    for rollup in rollups:
        conservation.add(rollup.conservation)
    latest_visitors = sorted(
        (event for rollup in rollups for event in rollup.latest_visitors), key=_order, reverse=True
    )
    first_of_each = one_a_visitor([event for event, _ in latest_visitors])

    def total(name: str) -> Ints:
        added: Ints = sum(getattr(rollup, name) for rollup in rollups)
        return added

    return PartitionRollup(
        now_s=rollups[0].now_s,
        newest_event_ms=max(rollup.newest_event_ms for rollup in rollups),
        conservation=conservation,
        visitors=total("visitors"),
        views=total("views"),
        views_1m=total("views_1m"),
        visitors_1m=total("visitors_1m"),
        views_30m=total("views_30m"),
        visitors_30m=total("visitors_30m"),
        device_visitors_10m=total("device_visitors_10m"),
        device_events_10m=total("device_events_10m"),
        visits_15m=total("visits_15m"),
        products_1h=_added(rollup.products_1h for rollup in rollups),
        countries_1h=_added(rollup.countries_1h for rollup in rollups),
        titles={product: title for rollup in rollups for product, title in rollup.titles.items()},
        latest_events=nlargest(
            LATEST_EVENTS_SHOWN, (e for rollup in rollups for e in rollup.latest_events), key=_order
        ),
        latest_visitors=[event for event in latest_visitors if event[0] in first_of_each],
    )


def _by_audience(by_device: Array) -> Ints:
    every = by_device.sum(axis=0, dtype=np.int64)
    bots = by_device[BOT_DEVICE]
    rows = {"human": every - bots, "bot": bots, "all": every}
    return np.stack([rows[audience] for audience in AUDIENCES])


def _view_windows(now_s: int) -> list[tuple[int, int]]:
    """The last second and the length of each window of views: the trailing ones, then the previous of each."""
    previous = [WINDOW_SECONDS[window] for window in WINDOWS_WITH_PREVIOUS]
    return [(now_s, seconds) for seconds in WINDOW_SECONDS.values()] + [
        (now_s - seconds, seconds) for seconds in previous
    ]


def _buckets(per_second: Ints, now_s: int, running_start_s: int, bucket_seconds: int, shown: int) -> Ints:
    """Events by audience and bucket, the running bucket up to now last."""
    closed = trailing(per_second, running_start_s - 1, bucket_seconds * (shown - 1))
    closed = closed.reshape(len(per_second), shown - 1, bucket_seconds).sum(axis=2)
    running = trailing(per_second, now_s, now_s - running_start_s + 1).sum(axis=1, keepdims=True)
    return np.concatenate((closed, running), axis=1)


def _visits_by_minute(per_second: Ints, now_s: int) -> Ints:
    seconds = np.arange(now_s - SEED_VISITS_SECONDS + 1, now_s + 1)
    minute = seconds // MINUTE_SECONDS - now_s // MINUTE_SECONDS + _SEED_VISITS_MINUTES - 1
    visits = np.zeros(_SEED_VISITS_MINUTES, np.int64)
    np.add.at(visits, minute, trailing(per_second, now_s, SEED_VISITS_SECONDS))
    return visits


def _counter(names: Names[_Name], counts: Ints) -> Counter[tuple[_Name, int]]:
    rows, codes = np.nonzero(counts)
    members = zip(rows.tolist(), codes.tolist(), counts[rows, codes].tolist(), strict=True)
    return Counter({(names[code], row): events for row, code, events in members})


def _added(counters: Iterable[Counter[_Name]]) -> Counter[_Name]:
    total: Counter[_Name] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _order(event: tuple[LatestEvent, int]) -> tuple[int, int, int, int]:
    latest, partition = event
    return latest.timestamp_ms, latest.arrival_ms, partition, latest.offset
