"""Platforms: what was sold on each today."""

from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.sales.panels import names
from services.dashboard.sales.snapshot import Snapshot


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    day = snapshot.day
    ranked = [*names.rows(day.platforms), *names.rest_of(day.platforms, day.total)]
    content = names.draw("Platform", "Sales of today by platform", ranked, day.currency)
    return Card(name="platforms", parts=(head("Platforms", "Today"), content), columns=6, height_px=None)
