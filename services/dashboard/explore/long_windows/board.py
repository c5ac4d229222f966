"""What the Explore page shows of a long window: notes, the key figures and a card for each panel. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.dashboard.explore.long_windows import key_figures
from services.dashboard.explore.long_windows.choices import LongChoices, has_weekdays
from services.dashboard.explore.long_windows.found import Found
from services.dashboard.explore.long_windows.panels import ages, breakdown, series, visits, weekdays
from services.dashboard.kit.cards.card import Card, Context, Panel
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.notice import notice
from services.dashboard.sign_in.access import Role

PANELS: Final[Mapping[str, Panel[Found]]] = {
    "series": series,
    "breakdown": breakdown,
    "weekdays": weekdays,
    "visits": visits,
    "ages": ages,
}
"""By the name of its card, from top to bottom."""

ABSENT: Final = (
    "The slider, the rolling mean, the search, the heat map by name and single events need the minute segments: "
    "choose a shorter window for them."
)


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """What depends on the answers alone: key figures as HTML, and the cards."""

    key_figures: str
    cards: tuple[Card, ...]


def draw(found: Found, context: Context) -> Board:
    """Draw what history answered."""
    cards = tuple(panel.draw(found, context) for panel in panels_of(found.choices).values())
    return Board(key_figures.draw(found, context.clock), cards)


def panels_of(choices: LongChoices) -> Mapping[str, Panel[Found]]:
    """The panels of this window: the hours of a week need more than two days."""
    return {name: panel for name, panel in PANELS.items() if name != "weekdays" or has_weekdays(choices)}


def without_history(role: Role, reason: str = "") -> str:
    """Shown in place of everything else while history is off, or does not answer for a `reason`."""
    what = "does not answer" if reason else "is off for this dashboard"
    text = f"Windows of up to an hour work without it. History keeps what is older, and it {what}."
    if role != "analyst":
        return notice(_TITLE, text)
    got = [("Does history run?", f"The dashboard asked it and got: <code>{in_html(reason)}</code>")] if reason else []
    return notice(_TITLE, text, [*got, *_WAYS])


_TITLE: Final = "Longer windows need history"
_WAYS: Final = (
    (
        "Started with <code>make demo</code>?",
        'Install the extra with <code>pip install "clickpulse[demo,history]"</code>; the demo then runs history.',
    ),
    (
        "Services of your own?",
        "Run <code>clickpulse history</code>, and the dashboard with its address in <code>HISTORY_API_URL</code>.",
    ),
)
