"""The row of numbers above a page's cards. Pure, HTML out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_UNIT: Final = re.compile(r"(?<=\d)( ?[a-z%]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatCard:
    """One number; every text is the dashboard's own."""

    label: str
    number: str
    window: str
    fact: str = ""  # HTML: the change from the previous period, or what the number is based on
    curve: str = ""  # HTML: a sparkline


def row(cards: Iterable[StatCard]) -> str:
    """The cards side by side; the stylesheet expects seven."""
    return f'<div class="kpis" role="list" aria-label="Key figures">{"".join(_card(card) for card in cards)}</div>'


def _card(card: StatCard) -> str:
    number = _UNIT.sub(r"<small>\1</small>", card.number)
    digits = sum(1.0 if sign.isdigit() else 0.5 for sign in card.number)  # its width, for the stylesheet
    return (
        f'<div class="kpi" role="listitem"><h2>{card.label}</h2><div class="number" style="--digits:{digits}">'
        f"{number}</div><p>{card.window}</p><p>{card.fact}</p>{card.curve}</div>"
    )
