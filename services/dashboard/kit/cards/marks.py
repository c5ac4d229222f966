"""Small marks on a ranking: how a row's place and share differ from the hour before. Pure, HTML out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.cards.table import Column
from services.dashboard.kit.wording import ordinal, whole_percentage
from shared.rollups.model import PREVIOUS_SHOWN

_LEGEND: Final = (
    "Against the hour before: triangles are places gained and lost, new was not in that ranking, slanted arrows are "
    "a share that changed by a percentage point or more at the same place"
)
COLUMN: Final = Column(f'<span role="img" aria-label="{_LEGEND}" title="{_LEGEND}">±1 h</span>', "against", "40px")
NO_MARK: Final = '<td class="against"></td>'
"""As wide as a mark, so that nothing moves when marks appear."""

_NOTICEABLE: Final = 0.01  # of a share: one percentage point


@dataclass(frozen=True, slots=True)
class Before:
    """The ranking of the hour before, greatest first. `total` is what shares are of; 0 when there are none."""

    counts: Mapping[str, int]
    total: int = 0

    def place(self, name: str) -> int | None:
        """The place of a name, from 1."""
        return list(self.counts).index(name) + 1 if name in self.counts else None

    def share(self, name: str) -> float | None:
        """The share of a name."""
        return self.counts[name] / self.total if name in self.counts and self.total > 0 else None


def cell(name: str, place: int, share: float | None, before: Before | None, noun: str) -> str:
    """The cell of a row at `place`, with its `share` of the `noun` now; empty while the hour before is not known.

    ▲2 and ▼1 are places, ↗ and ↘ a share that changed by at least a percentage point at the same place.
    """
    if before is None or not before.counts:
        return NO_MARK
    then, share_then = before.place(name), before.share(name)
    if then is None:
        was = (
            "not seen in the hour before"
            if len(before.counts) < PREVIOUS_SHOWN
            else f"not among the first {PREVIOUS_SHOWN} in the hour before"
        )
        return _cell("new", "new", f"{ordinal(place)}, {was}{_shares(share, None, noun)}")
    words = f"{ordinal(place)}, {ordinal(then)} in the hour before{_shares(share, share_then, noun)}"
    if then != place:
        return _cell("up", f"▲{then - place}", words) if then > place else _cell("down", f"▼{place - then}", words)
    change = (share - share_then) if share is not None and share_then is not None else 0.0
    if abs(change) < _NOTICEABLE:
        return NO_MARK
    return _cell("up", "↗", words) if change > 0 else _cell("down", "↘", words)


def _shares(now: float | None, before: float | None, noun: str) -> str:
    if now is None:
        return ""
    return f"; {whole_percentage(now)} of {noun}" + ("" if before is None else f", {whole_percentage(before)} before")


def _cell(kind: str, sign: str, words: str) -> str:
    return f'<td class="against {kind}"><span role="img" title="{words}">{sign}</span></td>'
