"""Countries by their views as shades of a map of the world. Pure: counts in, shades and words out.

The shapes are in `world.json`, which the browser fetches once, from this dashboard's own host. `tools.world_shapes`
makes that file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from services.dashboard.kit.escaping import legible
from services.dashboard.kit.wording import counted, share

SHADES: Final = 5
_NAMED: Final = 3
UNKNOWN_COUNTRY: Final = "Unknown"


@dataclass(frozen=True, slots=True)
class WorldMap:
    """What the map shows, and what a screen reader says of it; a list of the numbers stands beside it."""

    countries: dict[str, tuple[int, str]]  # country → shade from 1, and its words; plain text, not HTML
    label: str


def draw(counts: Mapping[str, int]) -> WorldMap:
    """Shade the countries of `counts`, greatest first, by the square root of their views."""
    total = sum(counts.values())
    known = {name: views for name, views in counts.items() if name != UNKNOWN_COUNTRY and views > 0}
    greatest = max(known.values(), default=1)
    countries = {
        name: (shade(views, greatest), f"{legible(name, 40)}: {counted(views, 'view')}, {share(views, total)}")
        for name, views in known.items()
    }
    if not known:
        return WorldMap({}, "Map of the world: no view of a known country in the last hour")
    leading = ", ".join(legible(name, 40) for name in list(known)[:_NAMED])
    return WorldMap(countries, f"Map of the world: views of the last hour by country, most from {leading}")


def shade(views: int, greatest: int) -> int:
    """From 1 to SHADES, which the greatest has: by the square root, so that small countries differ too."""
    return max(1, min(SHADES, ceil(SHADES * sqrt(views / greatest))))
