"""What a window is: it folds events and moves with the clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.batch import seconds_of
from services.aggregate.engine.recent_visitors import RECENT_SECONDS, RecentVisitors
from services.aggregate.engine.visits import NO_VISITS, GroupedVisits, SortedVisits
from shared.events.time_units import HOUR_SECONDS


class Events:
    """Counted events that are folded together, as several windows need them. None is after `now_s`."""

    def __init__(self, rows: Array, now_s: int, recent_visitors: RecentVisitors) -> None:
        self.rows = rows
        self.second: Ints = seconds_of(rows)
        self.now_s = now_s
        self._recent_visitors = recent_visitors

    def since(self, oldest: int) -> tuple[Array, Ints]:
        """Rows from second `oldest` on, and their seconds."""
        if self.second.min(initial=oldest) >= oldest:
            return self.rows, self.second
        within = self.second >= oldest
        return self.rows[within], self.second[within]

    @cached_property
    def _sorted(self) -> SortedVisits:
        return SortedVisits.of(self.rows)

    @cached_property
    def visits(self) -> GroupedVisits:
        """All visits, by visitor code."""
        return self._sorted.grouped()

    @cached_property
    def recent_visits(self) -> GroupedVisits:
        """The visits within RECENT_SECONDS, by slot of `RecentVisitors`."""
        recent = self._sorted.between(self.now_s - RECENT_SECONDS + 1, self.now_s)
        return recent.numbered(self._recent_visitors.slots(recent.visits.visitor)).grouped()

    @cached_property
    def visits_by_slot(self) -> GroupedVisits:
        """All visits, by slot of `RecentVisitors`. All visitors have to be recent."""
        return self._sorted.numbered(self._recent_visitors.slots(self._sorted.visits.visitor)).grouped()

    @cached_property
    def hour_old_visits(self) -> GroupedVisits:
        """The visits that are at least an hour old, by visitor code."""
        newest = self.now_s - HOUR_SECONDS
        if self.second.min(initial=self.now_s) > newest:
            return NO_VISITS
        if self.second.max(initial=0) <= newest:
            return self.visits
        return self._sorted.between(0, newest).grouped()


@dataclass(frozen=True, slots=True)
class Step:
    """The clock moved: the seconds it entered, both included, and the events that left the trailing hour."""

    first_second: int
    last_second: int
    leaving: Events


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Numbers that visitors no longer have: visitor codes, and slots of `RecentVisitors`."""

    codes: Ints
    slots: Ints


class Window(Protocol):
    """A window of one partition. Its state depends only on the events folded and on the clock."""

    @property
    def name(self) -> str:
        """Unique among the windows of a partition; prefixes its arrays in a checkpoint."""

    def enter(self, step: Step) -> None:
        """Move to end at `step.last_second`."""

    def fold(self, events: Events) -> None:
        """Add events. Those outside the window change nothing."""

    def forget(self, forgotten: Forgotten) -> None:
        """Clear what is kept under these numbers; all of it is outside the window."""

    def save(self) -> Mapping[str, Array]:
        """The state as arrays, for `load`; empty for a window that is rebuilt from the rows of recent minutes."""

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
