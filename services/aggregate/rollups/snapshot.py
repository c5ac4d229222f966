"""The figures of a partition's windows at a publish instant, as values that no longer change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import EventCounts, LatestEvent
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.engine.last_minutes import DIMENSIONS_SEEN
from services.aggregate.engine.windows import DEVICE_WINDOW_SECONDS, Windows
from services.aggregate.rollups.goal_figures import GoalFigures, goal_figures
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.previous_period import visitors_before
from services.aggregate.rollups.sales_figures import SalesFigures, sales_figures
from services.aggregate.rollups.trend_rows import spans_of, visits_of
from shared.events.time_units import HALF_HOUR_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.model import (
    HALF_HOURS_SHOWN,
    MINUTES_SHOWN,
    SESSION_BUCKET_MS,
    SESSION_BUCKETS_SHOWN,
    WINDOW_SECONDS,
    WINDOWS_WITH_PREVIOUS,
)

SEED_VISITS_SECONDS: Final = 900
_SESSION_BUCKET_SECONDS: Final = SESSION_BUCKET_MS // 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The figures of one partition, or the sum of several, at one publish instant. Rows are AUDIENCES."""

    now_s: int
    newest_event_ms: int
    event_counts: EventCounts
    visitors: Ints  # audience × WINDOW_SECONDS and the previous periods
    views: Ints  # audience × WINDOW_SECONDS and the previous periods
    sessions: Ints  # audience × sessions.STARTED, SINGLE, VIEWS, DURATION_S
    sessions_5m: Ints  # the same × SESSION_BUCKETS_SHOWN
    views_1m: Ints  # audience × MINUTES_SHOWN
    visitors_1m: Ints
    views_30m: Ints  # audience × HALF_HOURS_SHOWN
    visitors_30m: Ints
    device_visitors_10m: Ints  # by DEVICE_TYPES
    device_events_10m: Ints
    visits_15m: Ints  # by minute that the trailing 15 minutes touch, oldest first
    popularity_1h: dict[str, Popularity]  # by name of the ranked dimension
    spans: dict[str, Popularity]  # the same, with the rows of `MinuteCounts`
    visits: dict[str, Popularity]  # by DIMENSIONS_SEEN, with the rows of `trend_rows`
    goals: GoalFigures
    sales: SalesFigures
    latest_events: list[tuple[LatestEvent, int]]  # with the partition, newest first
    latest_visitors: list[tuple[LatestEvent, int]]


_RANKED: Final = tuple(dimension.name for dimension in RANKED_DIMENSIONS)
_NAME_TABLES: Final = {"popularity_1h": _RANKED, "spans": _RANKED, "visits": DIMENSIONS_SEEN}
"""The dimensions of each field."""

TABLES_BY_DIMENSION: Final[Mapping[str, Sequence[str]]] = {
    dimension: [f"{field}/{dimension}" for field, dimensions in _NAME_TABLES.items() if dimension in dimensions]
    for dimension in dict.fromkeys(dimension for dimensions in _NAME_TABLES.values() for dimension in dimensions)
}
"""The keys of `tables_of`."""


def tables_of(snapshot: Snapshot) -> dict[str, Popularity]:
    """All names with counts, by `<field>/<dimension>`: what grows with the number of names, and nothing else does."""
    return {
        f"{field}/{dimension}": popularity
        for field in _NAME_TABLES
        for dimension, popularity in getattr(snapshot, field).items()
    }


def with_tables(snapshot: Snapshot, tables: Mapping[str, Popularity]) -> Snapshot:
    """A snapshot with these `tables_of`, and no others."""
    by_field: dict[str, Any] = {field: {} for field in _NAME_TABLES}
    for key, popularity in tables.items():
        field, _, dimension = key.partition("/")
        by_field[field][dimension] = popularity
    return replace(snapshot, **by_field)


def snapshot_of(windows: Windows, names: Dictionaries, partition: int) -> Snapshot:
    """The figures of one partition now."""
    now_s = windows.now_s
    views = windows.views.by_audience()
    since = (now_s - HOUR_SECONDS + 1) * 1000
    return Snapshot(
        now_s=now_s,
        newest_event_ms=windows.newest_event_ms,
        event_counts=replace(windows.event_counts),
        visitors=np.concatenate((_distinct_visitors(windows), visitors_before(windows)), axis=1),
        views=views.windows(_view_windows(now_s)),
        sessions=windows.sessions.statistic.figures(now_s),
        sessions_5m=windows.sessions.statistic.by_bucket(now_s, _SESSION_BUCKET_SECONDS, SESSION_BUCKETS_SHOWN),
        views_1m=views.buckets(now_s, MINUTE_SECONDS, MINUTES_SHOWN),
        visitors_1m=windows.by_minute.statistic.counts(now_s),
        views_30m=views.buckets(now_s, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN),
        visitors_30m=windows.by_half_hour.statistic.counts(now_s),
        device_visitors_10m=windows.last_seen_by_device.statistic.distinct(now_s, DEVICE_WINDOW_SECONDS),
        device_events_10m=windows.views.by_device(now_s, DEVICE_WINDOW_SECONDS),
        visits_15m=views.all_by_minute(now_s, SEED_VISITS_SECONDS),
        popularity_1h={dimension: _popularity(windows, names, dimension) for dimension in _RANKED},
        spans={dimension: spans_of(windows, names, dimension) for dimension in _RANKED},
        visits={dimension: visits_of(windows, names, dimension) for dimension in DIMENSIONS_SEEN},
        goals=goal_figures(windows),
        sales=sales_figures(windows, names),
        latest_events=[(event, partition) for event in windows.latest.events if event.timestamp_ms >= since],
        latest_visitors=[(event, partition) for event in windows.latest.visitors if event.timestamp_ms >= since],
    )


def _distinct_visitors(windows: Windows) -> Ints:
    last_seen = windows.last_seen.statistic
    return np.stack([last_seen.distinct(windows.now_s, seconds) for seconds in WINDOW_SECONDS.values()], axis=1)


def _view_windows(now_s: int) -> list[tuple[int, int]]:
    """The last second and the length of each window of views: the trailing ones, then the period before each."""
    previous = [WINDOW_SECONDS[window] for window in WINDOWS_WITH_PREVIOUS]
    return [(now_s, seconds) for seconds in WINDOW_SECONDS.values()] + [
        (now_s - seconds, seconds) for seconds in previous
    ]


def _popularity(windows: Windows, names: Dictionaries, dimension: str) -> Popularity:
    own = names.of(dimension)
    return Popularity(own, windows.popularity.counts(dimension, len(own)).copy())
