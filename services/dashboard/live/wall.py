"""What wall mode shows: the few cards that change by the second, sized by the stylesheet to fill a screen. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards.card import Card, Context, OptionalPanel
from services.dashboard.kit.escaping import in_html
from services.dashboard.live.panels import conversions, now, pages, per_minute, rising, sources
from services.dashboard.sources.history.last_week import LastWeek
from shared.rollups.contract import Snapshot

_LISTS: Final[tuple[OptionalPanel[Snapshot], ...]] = (now, rising, sources, pages)
"""The most important first. The first three are a row; what comes next is beside the chart."""

_IN_A_ROW: Final = 3
_CHART_COLUMNS: Final = 7
_AUDIENCES: Final = {"all": "", "human": " · humans", "bot": " · bots"}


def cards(snapshot: Snapshot, context: Context, last_week: LastWeek | None) -> tuple[Card, ...]:
    """A chart with a list beside it, above a row of lists. A card with tabs shows that of the address.

    Where a site has goals, they are between the two.
    """
    drawn = [card for panel in _LISTS if (card := panel.draw(snapshot, context)) is not None]
    lists = [*_split(drawn[0]), *drawn[1:]]
    below = _in_a_row(lists[:_IN_A_ROW])
    beside = lists[_IN_A_ROW]
    goals = conversions.draw_for_wall(snapshot, context)
    if goals is None:
        chart = replace(per_minute.draw(snapshot, context, last_week), columns=_CHART_COLUMNS)
        return chart, replace(beside, columns=12 - _CHART_COLUMNS), *below
    chart = per_minute.draw(snapshot, context, last_week, is_narrow=True)
    return *_in_a_row([chart, goals, beside]), *below


def _in_a_row(cards: Sequence[Card]) -> list[Card]:
    return [replace(card, columns=12 // _IN_A_ROW) for card in cards]


def _split(card: Card) -> Iterator[Card]:
    """A card for each tab: a wall has no buttons, and what is active now belongs side by side."""
    if not card.tabs:
        yield card
    for tab in card.tabs:
        yield replace(card, name=f"{card.name}-{tab.name}", parts=tab.parts, tabs=())


def title(context: Context) -> str:
    """The page's name and audience, HTML."""
    return f'<h1 class="wall-title">Clickpulse{in_html(_AUDIENCES[context.audience])}</h1>'
