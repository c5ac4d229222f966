"""A histogram of views or visitors by age."""

from services.dashboard.explore.choices import MEASURES
from services.dashboard.explore.long_windows.found import Found
from services.dashboard.explore.long_windows.histograms import ages
from services.dashboard.explore.long_windows.panels import histogram
from services.dashboard.kit.cards.card import Card, Context


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = histogram.known(found, "ages")
    if seen is None:
        return histogram.without("ages", found, context)
    measure = seen.choices.traffic
    noun = MEASURES[measure]
    return histogram.draw("ages", seen, ages(seen.said, measure), f"{noun} by years", noun.lower(), context)
