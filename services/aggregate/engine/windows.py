"""The windows of one partition: a pure state that events are folded into and that moves with the time it is given.

The state depends only on the folded events and on `now_s`, never on order, batches or interruptions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from services.aggregate.columns.arrays import RING_SECONDS, Array, Bools, Ints
from services.aggregate.columns.batch import Batch, EventCounts, LatestEvent, seconds_of
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.engine.conversions import Conversions
from services.aggregate.engine.last_minutes import PAGE, LastMinutes
from services.aggregate.engine.last_minutes import SECONDS as LAST_MINUTES_SECONDS
from services.aggregate.engine.latest import Latest
from services.aggregate.engine.ledger import Sums
from services.aggregate.engine.minute_counts import MinuteCounts
from services.aggregate.engine.popularity import HourlyPopularity
from services.aggregate.engine.recent_rows import RecentRows
from services.aggregate.engine.recent_visitors import RecentVisitors
from services.aggregate.engine.sales import SalesWindow
from services.aggregate.engine.segment_versions import SegmentVersions
from services.aggregate.engine.views import Views
from services.aggregate.engine.visitor_window import (
    ALL_BY_AUDIENCE,
    HOUR_OLD_BY_AUDIENCE,
    RECENT_BY_AUDIENCE,
    RECENT_BY_DEVICE,
    SessionsWindow,
    VisitorWindow,
)
from services.aggregate.engine.visitors import DistinctByBucket, LastSeen
from services.aggregate.engine.waiting import Waiting
from services.aggregate.engine.window import Events, Forgotten, Step, Window
from shared.events.schema import DEVICE_TYPES
from shared.events.time_units import HALF_HOUR_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.model import AUDIENCES, HALF_HOURS_SHOWN, MINUTES_SHOWN

DEVICE_WINDOW_SECONDS: Final = 600
_DEVICE_RING_SECONDS: Final = 1024  # the power of two above the device window
_HOUR_RING_SECONDS: Final = 4096  # the power of two above an hour
_RECENT_VISITORS: Final = "recent_visitors"
_WAITING: Final = "waiting"
_SALES: Final = "sales"

_Seconds = TypeVar("_Seconds", int, Ints)


def oldest_second(now_s: _Seconds) -> _Seconds:
    """The first second of the oldest half hour that is kept; an event before it has left every window."""
    return (now_s // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS


class Windows:
    """All windows of one partition, which its figures are read from. They end at `now_s`, epoch seconds."""

    def __init__(self, now_s: int, kept_seconds: int = HOUR_SECONDS, goals: Goals = NO_GOALS) -> None:
        """`kept_seconds` is how far back rows are kept, at least the trailing hour."""
        self.goals = goals
        audiences = len(AUDIENCES)
        self.now_s = now_s
        self.event_counts = EventCounts()
        self.newest_event_ms = 0
        self.views = Views()
        self.last_seen = VisitorWindow(
            "last_seen", LastSeen(audiences, RING_SECONDS, ends_in_all=True), ALL_BY_AUDIENCE
        )
        self.last_seen_hour_ago = VisitorWindow(
            "last_seen_hour_ago", LastSeen(audiences, _HOUR_RING_SECONDS, ends_in_all=True), HOUR_OLD_BY_AUDIENCE
        )
        self.last_seen_by_device = VisitorWindow(
            "last_seen_by_device", LastSeen(len(DEVICE_TYPES), _DEVICE_RING_SECONDS), RECENT_BY_DEVICE
        )
        self.by_minute = VisitorWindow(
            "by_minute", DistinctByBucket(audiences, MINUTE_SECONDS, MINUTES_SHOWN, np.uint64), RECENT_BY_AUDIENCE
        )
        self.by_half_hour = VisitorWindow(
            "by_half_hour",
            DistinctByBucket(audiences, HALF_HOUR_SECONDS, HALF_HOURS_SHOWN, np.uint32),
            ALL_BY_AUDIENCE,
        )
        self.sessions = SessionsWindow(audiences)
        self.popularity = HourlyPopularity()
        self.conversions = Conversions(len(goals))
        self.recent_rows = RecentRows(kept_seconds)
        self.sales = SalesWindow(now_s)
        self.last_minutes = LastMinutes()
        self.minute_counts = MinuteCounts(now_s, self.recent_rows)
        self._windows: tuple[Window, ...] = (
            self.views,
            self.last_seen,
            self.last_seen_hour_ago,
            self.last_seen_by_device,
            self.by_minute,
            self.by_half_hour,
            self.sessions,
            self.popularity,
            self.last_minutes,
            self.minute_counts,  # before the rows, which drop minutes
            self.conversions,
            self.recent_rows,
        )
        self.recent_visitors = RecentVisitors()
        self.segment_versions = SegmentVersions()
        self.latest = Latest()
        self.waiting = Waiting()

    def fold(self, batch: Batch, counts: EventCounts) -> None:
        """Add a micro-batch, and the outcome of the events that were read for it."""
        self.event_counts.add(counts)
        for dimension, new in batch.names.items():
            self.learn_names(dimension, new.codes, new.names)
        self._admit(batch.rows)
        self.sales.fold(batch.sold.sales, batch.sold.others)
        self._admit_latest(batch.latest)

    def advance(self, now_s: int) -> None:
        """Move every window to end at `now_s`. Ignores a clock that goes back."""
        if now_s <= self.now_s:
            return
        first = self.now_s + 1
        leaving = self.recent_rows.between(first - HOUR_SECONDS, now_s - HOUR_SECONDS)
        self.now_s = now_s
        step = Step(first, now_s, Events(leaving, now_s, self.recent_visitors))
        for window in self._windows:
            window.enter(step)
        self.sales.advance(now_s)
        rows, latest = self.waiting.take(now_s)
        self._admit(rows)
        self._admit_latest(latest)

    def _admit(self, rows: Array) -> None:
        """Fold the events up to `now_s`. Later ones wait for their second."""
        second = seconds_of(rows)
        within = second >= oldest_second(self.now_s)
        if second.max(initial=self.now_s) > self.now_s:
            ahead = second > self.now_s
            self.waiting.add(rows[ahead])
            within &= ~ahead
        if not within.all():
            rows = rows[within]
        if not len(rows):
            return
        events = Events(rows, self.now_s, self.recent_visitors)
        for window in self._windows:
            window.fold(events)

    def _admit_latest(self, latest: Iterable[LatestEvent]) -> None:
        due: list[LatestEvent] = []
        ahead: list[LatestEvent] = []
        for event in latest:
            (due if event.second <= self.now_s else ahead).append(event)
        self.waiting.add_latest(ahead)
        if due:
            self.latest.fold(due)
            self.newest_event_ms = max(self.newest_event_ms, self.latest.events[0].timestamp_ms)

    def completed_minutes(self, *, is_last: bool = False) -> dict[int, tuple[int, tuple[Array, ...]]]:
        """The minutes that are complete and have rows: the version of the segment, and the rows in chunks.

        A minute that was reopened has the rows of a later version already. `is_last`: this process stops.
        """
        versions = self.segment_versions.update(self.recent_rows, self.now_s, is_last=is_last)
        return {minute: (version, self.recent_rows.chunks(minute)) for minute, version in versions.items()}

    # --- forgetting --------------------------------------------------------------------------------------------------

    def codes_in_use(self, dimension: str, names: int) -> Bools:
        """For each code of a dimension below `names`, whether an event that is kept has it."""
        in_use = self.recent_rows.codes_in_use(dimension, names)
        self.waiting.mark_in_use(dimension, in_use)
        self.sales.mark_in_use(dimension, in_use)
        self.last_minutes.mark_in_use(dimension, in_use)
        self.minute_counts.mark_in_use(dimension, in_use)
        if dimension == PAGE:
            self.sessions.statistic.mark_pages_in_use(in_use, self.now_s)
        return in_use

    def learn_names(self, dimension: str, codes: Sequence[int], names: Sequence[Any]) -> None:
        """Take over names before rows have their codes. A free code has none."""
        self.last_minutes.learn(dimension, codes, names)

    def forget_names(self, dimension: str, codes: Ints) -> None:
        """Codes of a dimension are free; none of them is in use."""
        self.last_minutes.forget_names(dimension, codes)

    def forget(self, forgotten: Forgotten) -> None:
        """Clear what is kept under numbers that visitors no longer have."""
        for window in self._windows:
            window.forget(forgotten)

    # --- saving ------------------------------------------------------------------------------------------------------

    def save_arrays(self) -> dict[str, Array]:
        """The numeric state by name, for `load_arrays`. The rows of recent minutes are saved separately."""
        parts: dict[str, Mapping[str, Array]] = {window.name: window.save() for window in self._windows}
        parts[_RECENT_VISITORS] = self.recent_visitors.save()
        parts[_WAITING] = {"rows": self.waiting.rows}
        parts[_SALES] = self.sales.save()
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def load_arrays(
        self, saved: Mapping[str, Array], sales: Mapping[int, Array], other_sales: Mapping[int, Sums]
    ) -> None:
        """Restore what `save_arrays` returned and the sales by minute, after the rows of minutes. Raises KeyError."""
        self.sales.load(sales, other_sales, _part(saved, _SALES))
        for window in self._windows:
            window.load(_part(saved, window.name))
        self.recent_visitors.load(_part(saved, _RECENT_VISITORS))
        self.waiting.add(_part(saved, _WAITING)["rows"])
        self.popularity.count(self.recent_rows.between(self.now_s - HOUR_SECONDS + 1, self.now_s))
        self.sessions.statistic.count_again(self.now_s)
        rows = self.recent_rows.between(self.now_s - LAST_MINUTES_SECONDS + 1, self.now_s)
        self.last_minutes.count(rows, seconds_of(rows))


def _part(saved: Mapping[str, Array], part: str) -> dict[str, Array]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): array for name, array in saved.items() if name.startswith(prefix)}
