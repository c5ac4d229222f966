"""What a page shows: a strip, key figures and cards. Pure."""

from dataclasses import dataclass

from services.dashboard.kit.cards.card import Card


@dataclass(frozen=True, slots=True)
class Board:
    """The status strip, and either key figures with cards or a notice; all but the cards is HTML."""

    strip: str
    key_figures: str = ""
    cards: tuple[Card, ...] = ()
    notice: str = ""
    name: str = ""  # in the title of the browser's tab; empty: that of the app stays
    count: str = ""  # before the name
    is_wall: bool = False  # fills the screen, without controls
