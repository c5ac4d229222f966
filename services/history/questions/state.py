"""What history holds when a question is asked, and the answer for one window. Pure."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Final, NamedTuple

from services.history.columns.days import Columns
from services.history.questions.spans import HOUR
from services.history.questions.statements import STATE, Statement
from services.history.questions.windows import Window, iso

Run = Callable[[Statement], Awaitable[Sequence[tuple[Any, ...]]]]
"""Runs a statement, each on the same snapshot."""

Row = Mapping[str, Any]

EVENTS: Final = "events"
ROLLUPS: Final = "rollups"
BY_DAY: Final = "by_day"
SOURCES: Final = (EVENTS, ROLLUPS, BY_DAY)
"""Where a figure comes from."""


class State(NamedTuple):
    """What history holds."""

    events_from: datetime  # raw events before are gone
    minutes_from: datetime  # the rollups of minutes before are gone
    since: datetime | None  # the minute of the first event, or its hour where the minutes are gone
    as_of: datetime | None  # when the newest event that was read arrived
    columns: Columns | None = None  # the raw events that are in memory, as of the same instant

    @property
    def events_gone(self) -> str:
        """A sentence on raw events."""
        return f"events before {iso(self.events_from)} are no longer kept"


@dataclass(frozen=True, slots=True)
class Part:
    """The answer for one window. `source` says where each figure comes from, `more` how many names are left out."""

    window: Window
    rows: Sequence[Row]
    source: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    more: int = 0


async def read_state(run: Run, columns: Columns | None) -> State:
    """What history holds now."""
    ((kept_from, minutes_kept_from, first_hour, first_minute, read_to),) = await run(STATE)
    minutes_from = datetime.combine(minutes_kept_from, time(), UTC)
    is_complete = first_hour is None or first_hour >= minutes_from
    return State(
        events_from=datetime.combine(kept_from, time(), UTC),
        minutes_from=datetime.min.replace(tzinfo=UTC) if is_complete else minutes_from,
        since=first_minute if first_minute is not None and first_minute - first_hour < HOUR else first_hour,
        as_of=read_to,
        columns=columns,
    )
