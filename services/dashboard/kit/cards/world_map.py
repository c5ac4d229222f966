"""The views of each country as shades of a world map. Pure: counts in, shades and words out.

The browser fetches the shapes, `world.json`, once from this dashboard. `tools.world_shapes` writes that file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from services.dashboard.kit.escaping import legible
from services.dashboard.kit.wording import counted, share
from shared.rollups.model import OTHER_NAME

SHADES: Final = 5
_NAMED: Final = 3
UNKNOWN_COUNTRY: Final = "Unknown"
NO_COUNTRIES: Final = (UNKNOWN_COUNTRY, OTHER_NAME)
"""Names of the ranking that are nowhere on the map."""


@dataclass(frozen=True, slots=True)
class WorldMap:
    """The shades of the map and its text for screen readers; a ranking next to it gives the numbers."""

    countries: dict[str, tuple[int, str]]  # country → shade from 1, and its tooltip; plain text, not HTML
    label: str


def draw(counts: Mapping[str, int]) -> WorldMap:
    """Shade the countries of `counts`, which has the greatest first."""
    total = sum(counts.values())
    known = {name: views for name, views in counts.items() if name not in NO_COUNTRIES and views > 0}
    greatest = max(known.values(), default=1)
    countries = {
        name: (shade(views, greatest), f"{legible(name, 40)}: {counted(views, 'view')}, {share(views, total)}")
        for name, views in known.items()
    }
    if not known:
        return WorldMap({}, "World map: no view from a known country in the last hour")
    leading = ", ".join(legible(name, 40) for name in list(known)[:_NAMED])
    return WorldMap(countries, f"World map: views of the last hour by country, most from {leading}")


def shade(views: int, greatest: int) -> int:
    """From 1 to SHADES by the square root of the views, so that small countries differ too."""
    return max(1, min(SHADES, ceil(SHADES * sqrt(views / greatest))))
