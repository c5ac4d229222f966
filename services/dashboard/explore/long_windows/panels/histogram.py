"""What both histograms of raw events share."""

from typing import Literal

from services.dashboard.explore import captions as shared_captions
from services.dashboard.explore.counting.distributions import Histogram
from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.waiting import absent
from services.dashboard.explore.panels.histograms import figure
from services.dashboard.kit.cards.card import Card, Context, Part, head
from services.dashboard.kit.cards.chart import chart

Name = Literal["visits", "ages"]
TITLES = {"visits": "Events per visitor", "ages": "Age"}


def known(found: Found, name: Name) -> Seen | None:
    """The answer, unless the latest request failed."""
    return None if name in found.failures else found.seen.get(name)


def draw(name: Name, seen: Seen, histogram: Histogram, counted: str, noun: str, context: Context) -> Card:
    """The card; `counted` says what the bars count, beside the window."""
    colour = context.palette.accent if name == "visits" else context.palette.series[2]
    bars = chart(figure(histogram, noun, colour, context.palette), shared_captions.spoken(TITLES[name], histogram))
    window = captions.window(seen.choices, seen.said, context.clock)
    return _card(name, head(TITLES[name], f"{counted} · {window}"), bars)


def without(name: Name, found: Found, context: Context) -> Card:
    """The card without an answer."""
    return _card(name, head(TITLES[name], ""), absent(found, name, context.role))


def _card(name: Name, title: str, part: Part) -> Card:
    return Card(name=name, parts=(title, part), columns=6, height_px=272, phone_height_px=292)
