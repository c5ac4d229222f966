"""What was counted for the buckets or names of a question, and what of it the rollups can tell. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.history.questions.dimensions import Dimension
from services.history.questions.mistake import Mistake
from services.history.questions.pieces import MINUTES, Piece
from services.history.questions.question import Filter
from services.history.questions.state import State
from services.history.questions.statements import Family
from services.history.questions.windows import iso

_EVERYTHING: Final = "all"
"""The dimension of the rollups that has each event once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Figures by metric, and then by place or name. What is not there is unknown.

    `names` are those of a breakdown, in their order, and `more` how many are left out. `source` says where each figure
    is from.
    """

    figures: Mapping[str, Mapping[Any, Any]]
    source: Mapping[str, str]
    notes: Sequence[str] = ()
    names: Sequence[str] = field(default_factory=list)
    more: int = 0


def rollup_dimension(family: Family, filters: Iterable[Filter], by: Dimension | None = None) -> str | None:
    """The dimension of the rollups that tells what is asked for; None if there is none."""
    asked = {own.dimension for own in filters} | ({by} if by is not None else set())
    match list(asked - family.columns.keys()):
        case []:
            return _EVERYTHING
        case [dimension]:
            return dimension.rollup if family.name == "traffic" else dimension.sales_rollup
        case _:
            return None


def without_minutes(pieces: Iterable[Piece], state: State) -> set[int]:
    """The places that need rollups of minutes which are gone."""
    return {piece.place for piece in pieces if piece.unit == MINUTES and piece.span.start < state.minutes_from}


def gone(state: State) -> Mistake:
    """Of a breakdown of which nothing is kept."""
    expected = f"expected {iso(state.events_from)} or later"
    return Mistake("from", f"{state.events_gone}, and no rollup has these names; {expected}")
