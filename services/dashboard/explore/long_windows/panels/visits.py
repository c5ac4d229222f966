"""A histogram of visitors by their number of events."""

from services.dashboard.explore.long_windows.found import Found
from services.dashboard.explore.long_windows.histograms import events_per_visitor
from services.dashboard.explore.long_windows.panels import histogram
from services.dashboard.kit.cards.card import Card, Context


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = histogram.known(found, "visits")
    if seen is None:
        return histogram.without("visits", found, context)
    return histogram.draw("visits", seen, events_per_visitor(seen.said), "Visitors", "visitors", context)
