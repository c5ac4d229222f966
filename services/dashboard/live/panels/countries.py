"""Countries: the views of the last hour on a map and as a ranking."""

from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards import ranking, world_map
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.world_map import NO_COUNTRIES
from services.dashboard.live import hour_before
from shared.rollups.contract import Snapshot

_TITLE: Final = "Countries"


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    counts = snapshot.windows.countries_1h
    hour = hour_before.of(snapshot, "countries_1h", "views")
    rows = [replace(row, colour="var(--muted)") if row.name in NO_COUNTRIES else row for row in ranking.rows(counts)]
    table = ranking.shares(
        "countries", _TITLE, "Country", rows, sum(counts.values()), empty="No event in the last hour.", hour=hour
    )
    return Card(
        name="countries",
        parts=(head(_TITLE, ranking.window(len(rows), len(counts))), world_map.draw(counts), table),
        columns=7,
        height_px=ranking.HEIGHT_PX,
        phone_height_px=620,
        is_split=True,
    )
