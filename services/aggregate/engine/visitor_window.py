"""Windows over visits: a statistic of visitors, fed with the visits of one grouping."""

from collections.abc import Mapping
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.engine.sessions import Sessions
from services.aggregate.engine.visits import GroupedVisits, Visits
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.events.time_units import HOUR_SECONDS


class VisitorStatistic(Protocol):
    """A statistic of visitors by number, with a row for each audience or device type."""

    def enter(self, first_second: int, last_second: int) -> None: ...
    def fold(self, visits: list[Visits], capacity: int, now_s: int) -> None: ...
    def forget(self, visitors: Ints) -> None: ...
    def save(self) -> dict[str, Array]: ...
    def load(self, saved: Mapping[str, Array]) -> None: ...


class Feed(NamedTuple):
    """Which visits a statistic receives."""

    visits: Literal["all", "recent", "hour_old"]
    rows: Literal["audience", "device"]

    @property
    def delay_seconds(self) -> int:
        """How far the statistic's clock is behind."""
        return HOUR_SECONDS if self.visits == "hour_old" else 0


ALL_BY_AUDIENCE: Final = Feed("all", "audience")
RECENT_BY_AUDIENCE: Final = Feed("recent", "audience")
RECENT_BY_DEVICE: Final = Feed("recent", "device")
HOUR_OLD_BY_AUDIENCE: Final = Feed("hour_old", "audience")
"""Each event when it is an hour old: the statistic is as it was an hour ago."""

Statistic = TypeVar("Statistic", bound=VisitorStatistic)


class VisitorWindow(Generic[Statistic]):
    """A statistic as a window. See `Window`."""

    def __init__(self, name: str, statistic: Statistic, feed: Feed) -> None:
        self.name = name
        self.statistic = statistic
        self._feed = feed

    def enter(self, step: Step) -> None:
        """See `Window`."""
        delay = self._feed.delay_seconds
        self.statistic.enter(step.first_second - delay, step.last_second - delay)
        if delay:
            self._fold(step.leaving.visits, step.last_second - delay)

    def fold(self, events: Events) -> None:
        """See `Window`."""
        match self._feed.visits:
            case "all":
                self._fold(events.visits, events.now_s)
            case "recent":
                self._fold(events.recent_visits, events.now_s)
            case "hour_old":
                self._fold(events.hour_old_visits, events.now_s - HOUR_SECONDS)

    def _fold(self, visits: GroupedVisits, now_s: int) -> None:
        if visits.capacity:
            rows = visits.by_device if self._feed.rows == "device" else visits.by_audience
            self.statistic.fold(rows, visits.capacity, now_s)

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`."""
        self.statistic.forget(forgotten.slots if self._feed.visits == "recent" else forgotten.codes)

    def save(self) -> dict[str, Array]:
        """See `Window`."""
        return self.statistic.save()

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""
        self.statistic.load(saved)


class SessionsWindow(VisitorWindow[Sessions]):
    """Sessions as a window. See `Window`."""

    def __init__(self, rows: int) -> None:
        super().__init__("sessions", Sessions(rows), RECENT_BY_AUDIENCE)

    def enter(self, step: Step) -> None:
        """See `Window`."""
        super().enter(step)
        if len(step.leaving.rows):
            visits = step.leaving.visits_by_slot.by_audience
            self.statistic.leave(visits, step.first_second - HOUR_SECONDS, step.last_second - HOUR_SECONDS)
