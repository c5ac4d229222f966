"""What the Explore page shows of an exploration: notes, the key figures and a card for each panel. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.dashboard.explore import key_figures, notes
from services.dashboard.explore.exploration import Exploration
from services.dashboard.explore.panels import breakdown, density, events, histograms, series
from services.dashboard.kit.cards.card import Card, Context, Panel
from services.dashboard.kit.notice import notice
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes

PANELS: Final[Mapping[str, Panel[Exploration]]] = {
    "series": series,
    "breakdown": breakdown,
    "density": density,
    "histograms": histograms,
    "events": events,
}
"""By the name of its card, from top to bottom; a row of the page has twelve columns."""

_OF_VISITORS: Final = frozenset({"events"})
"""These show single events, which is for analysts, and have the downloads."""


@dataclass(frozen=True, slots=True)
class Board:
    """Notes and key figures as HTML, and the cards."""

    notes: str
    key_figures: str
    cards: tuple[Card, ...]


def draw(minutes: CompletedMinutes, found: Exploration, context: Context) -> Board:
    """Draw what was counted in `minutes`."""
    panels = panels_of(context.role)
    cards = tuple(panel.draw(found, context) for panel in panels.values())
    assert [card.name for card in cards] == list(panels)
    figures = key_figures.draw(found, context.clock, is_pickable=context.role == "analyst")
    return Board(notes.draw(minutes, found, context.clock, role=context.role), figures, cards)


def panels_of(role: Role) -> Mapping[str, Panel[Exploration]]:
    """The panels that someone with this role sees."""
    return {name: panel for name, panel in PANELS.items() if role == "analyst" or name not in _OF_VISITORS}


EMPTY: Final = notice(
    "No completed minute yet",
    "The first appears a few seconds after it ends. This page counts the events of completed minutes.",
    (
        (
            "Nothing on the Live page either?",
            "Send clicks with <code>clickpulse generate</code>, or start everything with <code>make demo</code>.",
        ),
        (
            "Numbers there but not here?",
            "Check that <code>clickpulse aggregate</code> runs with <code>SEGMENT_HOURS</code> of 1 or more.",
        ),
    ),
)
"""Shown in place of everything else before the first segment."""
