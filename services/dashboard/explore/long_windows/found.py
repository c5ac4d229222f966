"""What a page shows of a long window: an answer for each part, with the choices that it is for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import LongChoices
from services.dashboard.sources.history.failure import HistoryFailure

Part = Literal["totals", "series", "ranked", "hours", "visits", "ages", "currencies", "sessions"]
PARTS: Final[Mapping[Part, str]] = {
    "totals": "key figures",
    "series": "curve",
    "ranked": "breakdown",
    "hours": "hours of the week",
    "visits": "events per visitor",
    "ages": "ages",
    "currencies": "other currencies",
    "sessions": "sessions",
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An answer, and the choices that it is for, which may be earlier ones of this viewer."""

    choices: LongChoices
    said: Said


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All parts. `choices` are those of now; `asking` has how many seconds ago each missing answer was asked for."""

    choices: LongChoices
    seen: Mapping[Part, Seen] = field(default_factory=dict)
    failures: Mapping[Part, HistoryFailure] = field(default_factory=dict)
    asking: Mapping[Part, float] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        """That of amounts without one: the reporting currency, or the one that the viewer filters by."""
        totals = self.seen.get("totals")
        return "" if totals is None else totals.said.currency
