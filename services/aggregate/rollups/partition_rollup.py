"""Rollups: what a partition's windows say at their publish instant, merged over partitions.

Events of a visitor are all on one partition, so that even distinct visitors add up over partitions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from heapq import nlargest
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, trailing
from services.aggregate.columns.batch import BOT_DEVICE, Conservation, LatestEvent
from services.aggregate.engine.latest import one_a_visitor
from services.aggregate.engine.popularity import HOUR_SECONDS
from services.aggregate.engine.recent import MINUTE_SECONDS
from services.aggregate.engine.windows import DEVICE_WINDOW_SECONDS, HALF_HOUR_SECONDS, Windows
from services.aggregate.rollups.previous_period import visitors_before
from shared.rollups.model import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    LATEST_EVENTS_SHOWN,
    MINUTES_SHOWN,
    SESSION_BUCKET_MS,
    SESSION_BUCKETS_SHOWN,
    WINDOW_SECONDS,
    WINDOWS_WITH_PREVIOUS,
)

SEED_VISITS_SECONDS: Final = 900
_SESSION_BUCKET_SECONDS: Final = SESSION_BUCKET_MS // 1000
_SEED_VISITS_MINUTES: Final = SEED_VISITS_SECONDS // MINUTE_SECONDS + 1  # the first and the last are cut


@dataclass(frozen=True, slots=True)
class Popularity:
    """Members with the events of the trailing hour; `events` has a row HUMAN and a row BOT, a column a member."""

    members: list[Any]
    events: Ints


@dataclass(frozen=True, slots=True)
class PartitionRollup:
    """The figures of one partition, or the sum of several, all at the same publish instant. Rows are AUDIENCES."""

    now_s: int
    newest_event_ms: int
    conservation: Conservation
    visitors: Ints  # audience × WINDOW_SECONDS and the previous periods
    views: Ints  # audience × WINDOW_SECONDS and the previous periods
    sessions: Ints  # audience × sessions.STARTED, SINGLE, VIEWS, DURATION_S
    sessions_5m: Ints  # likewise × SESSION_BUCKETS_SHOWN
    views_1m: Ints  # audience × MINUTES_SHOWN
    visitors_1m: Ints
    views_30m: Ints  # audience × HALF_HOURS_SHOWN
    visitors_30m: Ints
    device_visitors_10m: Ints  # by DEVICE_TYPES
    device_events_10m: Ints
    visits_15m: Ints  # by minute that the trailing 15 minutes touch, oldest first
    products_1h: Popularity
    pages_1h: Popularity
    countries_1h: Popularity
    latest_events: list[tuple[LatestEvent, int]]  # with the partition, newest first
    latest_visitors: list[tuple[LatestEvent, int]]


def roll_up(windows: Windows, partition: int) -> PartitionRollup:
    """Read the figures of one partition off its windows. What it returns does not change with them."""
    now_s = windows.now_s
    per_second = _by_audience(windows.views)
    this_minute = now_s - now_s % MINUTE_SECONDS
    this_half_hour = now_s - now_s % HALF_HOUR_SECONDS
    since = (now_s - HOUR_SECONDS + 1) * 1000
    return PartitionRollup(
        now_s=now_s,
        newest_event_ms=windows.newest_event_ms,
        conservation=replace(windows.conservation),
        visitors=np.concatenate((_distinct_visitors(windows), visitors_before(windows)), axis=1),
        views=np.stack(
            [trailing(per_second, end, seconds).sum(axis=1) for end, seconds in _view_windows(now_s)], axis=1
        ),
        sessions=windows.sessions.figures(now_s),
        sessions_5m=windows.sessions.by_bucket(now_s, _SESSION_BUCKET_SECONDS, SESSION_BUCKETS_SHOWN),
        views_1m=_buckets(per_second, now_s, this_minute, MINUTE_SECONDS, MINUTES_SHOWN),
        visitors_1m=windows.by_minute.counts(now_s),
        views_30m=_buckets(per_second, now_s, this_half_hour, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN),
        visitors_30m=windows.by_half_hour.counts(now_s),
        device_visitors_10m=windows.last_seen_by_device.distinct(now_s, DEVICE_WINDOW_SECONDS),
        device_events_10m=trailing(windows.views, now_s, DEVICE_WINDOW_SECONDS).sum(axis=1, dtype=np.int64),
        visits_15m=_visits_by_minute(per_second[AUDIENCES.index("all")], now_s),
        products_1h=_popularity(windows, "product"),
        pages_1h=_popularity(windows, "page"),
        countries_1h=_popularity(windows, "country"),
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
    sums: dict[str, Any] = {name: np.sum([getattr(rollup, name) for rollup in rollups], axis=0) for name in _SUMMED} | {
        name: _merged_popularity([getattr(rollup, name) for rollup in rollups]) for name in _POPULARITIES
    }
    return PartitionRollup(
        now_s=rollups[0].now_s,
        newest_event_ms=max(rollup.newest_event_ms for rollup in rollups),
        conservation=conservation,
        **sums,
        latest_events=nlargest(
            LATEST_EVENTS_SHOWN, (e for rollup in rollups for e in rollup.latest_events), key=_order
        ),
        latest_visitors=[event for event in latest_visitors if event[0] in first_of_each],
    )


_POPULARITIES: Final = ("products_1h", "pages_1h", "countries_1h")
_SUMMED: Final = tuple(field.name for field in fields(PartitionRollup) if field.type is Ints)


def _by_audience(by_device: Array) -> Ints:
    every = by_device.sum(axis=0, dtype=np.int64)
    bots = by_device[BOT_DEVICE]
    rows = {"human": every - bots, "bot": bots, "all": every}
    return np.stack([rows[audience] for audience in AUDIENCES])


def _distinct_visitors(windows: Windows) -> Ints:
    return np.stack([windows.last_seen.distinct(windows.now_s, seconds) for seconds in WINDOW_SECONDS.values()], axis=1)


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
    return np.bincount(minute, trailing(per_second, now_s, SEED_VISITS_SECONDS), _SEED_VISITS_MINUTES).astype(np.int64)


def _popularity(windows: Windows, dimension: str) -> Popularity:
    names = windows.names.of(dimension)
    counts = windows.popularity.counts(dimension, len(names))
    shown = np.flatnonzero(counts.any(axis=0))
    return Popularity([names[code] for code in shown.tolist()], counts[:, shown])


def _merged_popularity(rollups: Sequence[Popularity]) -> Popularity:
    place: dict[Any, int] = {}
    places = [[place.setdefault(member, len(place)) for member in rollup.members] for rollup in rollups]
    events = np.zeros((2, len(place)), np.int64)
    for own, rollup in zip(places, rollups, strict=True):
        events[:, own] += rollup.events
    return Popularity(list(place), events)


def _order(event: tuple[LatestEvent, int]) -> tuple[int, int, int, int]:
    latest, partition = event
    return latest.timestamp_ms, latest.arrival_ms, partition, latest.offset
