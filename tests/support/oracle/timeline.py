"""A partition on a timeline, for worked examples: events arrive, and a rollup is published at an instant."""

from typing import Any, Final

from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import AudienceRollup, Rollup
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, fold, published_at
from tests.support.oracle.naive_rollups import Arrived

NOON: Final = 1_795_348_800  # 2026-11-22T12:00:00Z, where an hour, a half hour, five minutes and a minute begin
T: Final = NOON + 1217  # 12:20:17, which begins nothing: the usual publish instant


def click(second: int, user: str = "ada", *, plus_ms: int = 0, **fields: Any) -> EnrichedEvent:
    """An event at a second (epoch), from a desktop unless `fields` say otherwise."""
    return EnrichedEvent(timestamp=second * 1000 + plus_ms, userId=user, **{"deviceType": "Desktop", **fields})


class Timeline:
    """One partition, its clock and its log. Time only moves forward."""

    def __init__(self, start: int, goals: Goals = NO_GOALS) -> None:
        self.partition: Partition = resume(MemoryStore(), Assignment(0, 0, 1 << 60), start, goals=goals)
        self._length = 0

    def arrive(self, arrival: int, *events: EnrichedEvent) -> None:
        """Append events to the log at a second, in this order, and read them as one batch."""
        log = [Arrived(event, arrival * 1000, 0, self._length + place) for place, event in enumerate(events)]
        self._length += len(events)
        self.partition.advance(arrival)
        fold(self.partition, as_records(log))

    def publish(self, instant: int) -> Rollup:
        """The rollup at a publish instant."""
        return published_at([self.partition], instant)

    def everyone(self, instant: int) -> AudienceRollup:
        """The figures of all visitors at a publish instant."""
        return self.publish(instant).audiences["all"]


def published(*events: EnrichedEvent, arrival: int = T, instant: int = T, goals: Goals = NO_GOALS) -> AudienceRollup:
    """The figures of all visitors at `instant`, when the events arrive in one batch at `arrival`."""
    timeline = Timeline(arrival, goals)
    timeline.arrive(arrival, *events)
    return timeline.everyone(instant)
