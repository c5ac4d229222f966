"""A page is a tuple of panels, and each panel draws one card. Pure.

A panel is a module with one function, `draw(snapshot, context) -> Card`. The card carries its place in the page's grid
of twelve columns, so a new panel needs no CSS rule of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.world_map import WorldMap
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.sign_in.access import Role
from shared.rollups.model import Audience

Part = str | Chart | WorldMap
"""A `str` is HTML, already escaped."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One of several contents of a card. `name` is in the page's address when it is chosen, `label` on its button."""

    name: str
    label: str
    parts: tuple[Part, ...]  # as those of a card


class Pickable(str):
    """HTML with buttons whose `data-pick` is reported to the page."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card of a page; `name` is unique on it and becomes the CSS class `card-<name>`.

    The height is fixed, so that a new number moves nothing. Tablets are up to 1150 px wide, phones up to 640 px, where
    every card has all twelve columns. A browser gets all tabs at first and then only what changes in the one it shows.
    """

    name: str
    parts: tuple[Part, ...] = ()  # from top to bottom, the first with the head
    tabs: tuple[Tab, ...] = ()  # instead of `parts`
    columns: int = 12
    height_px: int | None  # None: as its content, which has rows of a fixed height
    tablet_columns: int = 12
    tablet_height_px: int | None = None  # None: as elsewhere
    phone_height_px: int | None = None  # None: as elsewhere
    scroll_height_px: int | None = None  # of the parts below the head, which scroll (only in a Streamlit container)
    is_split: bool = False  # the second part left of the third; one column on phones

    @property
    def style(self) -> str:
        """The place in the grid as CSS custom properties, which the stylesheet reads."""
        return (
            f"--columns:{self.columns};--tablet-columns:{self.tablet_columns};--height:{_length(self.height_px)};"
            f"--tablet-height:{_length(self.tablet_height_px or self.height_px)};"
            f"--phone-height:{_length(self.phone_height_px or self.height_px)}"
        )

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """Its parts and those of its tabs."""
        return (*self.parts, *(part for tab in self.tabs for part in tab.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all panels of a page draw with, apart from their numbers."""

    palette: Palette
    now_ms: int
    clock: Clock = UTC_CLOCK
    category_colours: Mapping[str, int] = field(default_factory=dict)  # category → slot of `Palette.series`
    audience: Audience = "all"
    role: Role = "analyst"
    is_wall: bool = False

    def category_colour(self, category: str) -> str:
        """The CSS colour of a category; muted for one without a slot."""
        slot = self.category_colours.get(category)
        return "var(--muted)" if slot is None else f"var(--series-{slot})"

    def site_wide(self, window: str) -> str:
        """`window` with a note if the viewer chose an audience and the numbers are of all."""
        return window if self.audience == "all" else f"{window} · all traffic"


Shown = TypeVar("Shown", contravariant=True)


class Panel(Protocol[Shown]):
    """A module that draws a card of what the page shows."""

    def draw(self, snapshot: Shown, context: Context, /) -> Card:
        """Pure: the same arguments give the same card."""


class OptionalPanel(Protocol[Shown]):
    """A panel that gives way to the others on a site without anything to show in it."""

    def draw(self, snapshot: Shown, context: Context, /) -> Card | None:
        """As that of a Panel; None when there is nothing to show."""


def head(title: str, window: str, side: str = "") -> str:
    """A card's head: title, window of time, and HTML for its right side."""
    aside = f'<div class="side">{side}</div>' if side else ""
    return f'<div class="head"><div><h2>{in_html(title)}</h2><p>{in_html(window)}</p></div>{aside}</div>'


def legend(entries: Iterable[tuple[str, str, str]]) -> str:
    """A legend for a card's head: CSS colour, name, number."""
    return "".join(
        f'<span class="key"><i class="swatch" style="background:{colour}"></i>{in_html(name)} '
        f"<b>{in_html(figure)}</b></span>"
        for colour, name, figure in entries
    )


def nothing(sentence_html: str) -> str:
    """A sentence in place of a table without rows."""
    return f'<p class="nothing">{sentence_html}</p>'


def container_rules(cards: Iterable[Card]) -> str:
    """CSS that places cards drawn as Streamlit containers `card-<name>` in a container `board`.

    The parts of a card that scroll are in a container `scroll-<name>`.
    """
    cards = list(cards)
    places = "".join(f".st-key-board>:has(>.st-key-card-{card.name}){{{card.style}}}" for card in cards)
    containers = f":is({','.join(f'.st-key-card-{card.name}' for card in cards)})"
    scrolling = "".join(
        f".st-key-scroll-{card.name}{{height:{card.scroll_height_px}px}}" for card in cards if card.scroll_height_px
    )
    return (
        f"{places}{scrolling}{containers}{{height:var(--height)!important}}"
        f"@media(max-width:640px){{{containers}{{height:var(--phone-height)!important}}}}"
    )


def _length(height_px: int | None) -> str:
    return "auto" if height_px is None else f"{height_px}px"
