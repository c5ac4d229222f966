"""The latest events, and the latest visitors with the latest event of each."""

from collections.abc import Iterable, Sequence
from heapq import nlargest

from services.aggregate.columns.batch import LatestEvent
from shared.rollups.model import LATEST_EVENTS_SHOWN, LATEST_VISITORS_SHOWN


class Latest:
    """The LATEST_EVENTS_SHOWN latest events and the LATEST_VISITORS_SHOWN latest visitors, newest first."""

    def __init__(self, events: Iterable[LatestEvent] = (), visitors: Iterable[LatestEvent] = ()) -> None:
        self.events = list(events)
        self.visitors = list(visitors)

    def threshold_ms(self) -> int:
        """No event before this instant can enter either list; 0 while one of them is not full."""
        if len(self.events) < LATEST_EVENTS_SHOWN or len(self.visitors) < LATEST_VISITORS_SHOWN:
            return 0
        return min(self.events[-1].timestamp_ms, self.visitors[-1].timestamp_ms)

    def fold(self, events: Iterable[LatestEvent]) -> None:
        """Add events, in any order."""
        newcomers = latest_first(sorted(events, key=_order, reverse=True))
        self.events = nlargest(LATEST_EVENTS_SHOWN, [*self.events, *newcomers], key=_order)
        self.visitors = one_per_visitor(sorted([*self.visitors, *newcomers], key=_order, reverse=True))


def latest_first(newest_first: Iterable[LatestEvent]) -> list[LatestEvent]:
    """The first LATEST_EVENTS_SHOWN events, then the first of each further visitor up to LATEST_VISITORS_SHOWN.

    Stops reading there.
    """
    chosen: list[LatestEvent] = []
    visitors: set[str] = set()
    for number, event in enumerate(newest_first):
        if number < LATEST_EVENTS_SHOWN or event.visitor not in visitors:
            chosen.append(event)
        visitors.add(event.visitor)
        if number >= LATEST_EVENTS_SHOWN - 1 and len(visitors) >= LATEST_VISITORS_SHOWN:
            break
    return chosen


def one_per_visitor(newest_first: Sequence[LatestEvent]) -> list[LatestEvent]:
    """The first event of each of the first LATEST_VISITORS_SHOWN visitors."""
    latest: dict[str, LatestEvent] = {}
    for event in newest_first:
        latest.setdefault(event.visitor, event)
        if len(latest) == LATEST_VISITORS_SHOWN:
            break
    return list(latest.values())


def _order(event: LatestEvent) -> tuple[int, int, int]:
    return event.timestamp_ms, event.arrival_ms, event.offset
