"""Generates the dashboard's world map, `services/dashboard/components/world.json`, from Natural Earth's shapes.

The shapes are TopoJSON, from the npm package world-atlas, version 2.0.2:

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python -m tools.world_shapes package/countries-110m.json package/countries-50m.json \
        > services/dashboard/components/world.json

Countries in the coarse file become shapes (SVG paths). Countries only in the fine file become dots at the centre of
their largest island. Countries that are part of another one in both files become dots at positions listed here. Country
names are enrich's. Shapes without such a name are drawn unnamed.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor, radians
from pathlib import Path
from typing import Any, Final

import pycountry

from services.enrich.attributes.country import country_name

SOURCE: Final = "Natural Earth 1:110m and 1:50m (public domain) via world-atlas 2.0.2; Natural Earth projection"

Point = tuple[float, float]
"""Degrees east and north, or picture units right and down."""
Ring = list[Point]

WIDTH: Final = 2000
"""The length of the equator, so that islands on both sides of the 180th meridian are in the picture."""
_NORTH, _SOUTH = 84, -57
"""Latitudes of the upper and lower edge, beyond Greenland and Heard Island."""

_FEWEST_CORNERS: Final = 3
_LEFT_OUT: Final = {"Antarctica"}
_KOSOVO: Final = "Kosovo"  # has no ISO 3166 number
_PLACES: Final[dict[str, Point]] = {
    "Caribbean Netherlands": (-68.25, 12.2),
    "Christmas Island": (105.65, -10.45),
    "Cocos (Keeling) Islands": (96.8, -12.2),
    "French Guiana": (-53.1, 4.0),
    "Gibraltar": (-5.35, 36.14),
    "Guadeloupe": (-61.5, 16.2),
    "Martinique": (-61.0, 14.65),
    "Mayotte": (45.15, -12.8),
    "Réunion": (55.5, -21.1),
    "Svalbard and Jan Mayen": (16.0, 78.5),
    "Tokelau": (-171.8, -9.2),
    "Tuvalu": (179.2, -8.5),
}


def main(arguments: Sequence[str]) -> int:
    """Write the map; the arguments are the paths of the coarse and the fine file."""
    coarse, fine = (json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments)
    sys.stdout.write(as_text(world(coarse, fine)))
    return 0


def world(coarse: dict[str, Any], fine: dict[str, Any]) -> dict[str, Any]:
    """The content of the map, from the TopoJSON of both files."""
    shapes: dict[str, str] = {}
    unnamed = []
    for country in coarse["objects"]["countries"]["geometries"]:
        name = _name(country)
        if name in _LEFT_OUT:
            continue
        path = "".join(map(_path, _drawn(_rings(coarse, country))))
        if name is None:
            unnamed.append(path)
        else:
            shapes[name] = path
    dots = {name: _pixel(_projected(place)) for name, place in _PLACES.items()}
    for country in fine["objects"]["countries"]["geometries"]:
        name = _name(country)
        if name is not None and name not in shapes and name not in _LEFT_OUT:
            dots[name] = _pixel(_middle(_drawn(_rings(fine, country))))
    return {
        "source": SOURCE,
        "width": WIDTH,
        "height": HEIGHT,
        "shapes": dict(sorted(shapes.items())),
        "dots": dict(sorted(dots.items())),
        "unnamed": "".join(unnamed),
    }


def as_text(content: dict[str, Any]) -> str:
    """The map as JSON, one country per line."""
    parts = [f'"source": {_json(content["source"])}', f'"width": {content["width"]}, "height": {content["height"]}']
    for kind in ("shapes", "dots"):
        lines = ",\n".join(f"{_json(name)}: {_json(what)}" for name, what in content[kind].items())
        parts.append(f'"{kind}": {{\n{lines}\n}}')
    parts.append(f'"unnamed": {_json(content["unnamed"])}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _name(country: dict[str, Any]) -> str | None:
    """Enrich's name of a country in the files; None without an ISO 3166 number."""
    if "id" in country:
        known = pycountry.countries.get(numeric=country["id"])
        return country_name(known.alpha_2) if known is not None else None
    return _KOSOVO if country["properties"]["name"] == _KOSOVO else None


def _rings(file: dict[str, Any], country: dict[str, Any]) -> list[Ring]:
    """A country's rings in degrees; each ends where it starts, as specified by TopoJSON."""
    polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
    return [_ring(file, arcs) for polygon in polygons for arcs in polygon]


def _ring(file: dict[str, Any], arcs: Iterable[int]) -> Ring:
    ring: Ring = []
    for number in arcs:
        arc = _arc(file, number) if number >= 0 else _arc(file, ~number)[::-1]
        ring += arc[1:] if ring else arc  # an arc starts where the previous one ends
    return ring


def _arc(file: dict[str, Any], number: int) -> Ring:
    (right, up), (left, bottom) = file["transform"]["scale"], file["transform"]["translate"]
    x = y = 0
    arc = []
    for step_x, step_y in file["arcs"][number]:
        x, y = x + step_x, y + step_y
        arc.append((x * right + left, y * up + bottom))
    return arc


def _drawn(rings: Iterable[Ring]) -> list[Ring]:
    """Rings in picture units, cut at the 180th meridian."""
    return [[_projected(point) for point in piece] for ring in rings for piece in _cut(ring)]


def _cut(ring: Ring) -> list[Ring]:
    turns, unwrapped = 0, [ring[0]]
    for (before, _), (east, north) in pairwise(ring):
        turns += (before - east > 180) - (east - before > 180)
        unwrapped.append((east + 360 * turns, north))
    pieces = [(turn, _between(unwrapped, 360 * turn - 180, 360 * turn + 180)) for turn in (0, -1, 1)]
    return [[(east - 360 * turn, north) for east, north in piece] for turn, piece in pieces if piece]


def _between(ring: Ring, west: float, east: float) -> Ring:
    """The part of a ring between two meridians (Sutherland-Hodgman); empty if it only touches them."""
    for border, side in ((west, 1), (east, -1)):
        kept: Ring = []
        for (x0, y0), (x1, y1) in pairwise(ring):
            inside = [side * (x - border) >= 0 for x in (x0, x1)]
            if inside[0]:
                kept.append((x0, y0))
            if inside[0] != inside[1] and border not in (x0, x1):
                kept.append((border, y0 + (y1 - y0) * (border - x0) / (x1 - x0)))
        ring = [*kept, kept[0]] if kept else []
    return ring if any(west < x < east for x, _ in ring) else []


def _projected(point: Point) -> Point:
    x, y = _on_plane(point)
    return WIDTH / 2 + _SCALE * x, _EQUATOR_Y - _SCALE * y


def _on_plane(point: Point) -> Point:
    """Natural Earth projection: T. Patterson, B. Šavrič, B. Jenny (2011), as polynomials."""
    east, north = map(radians, point)
    square = north * north
    fourth = square * square
    x = east * (0.8707 - 0.131979 * square + fourth * (-0.013791 + fourth * (0.003971 * square - 0.001529 * fourth)))
    y = north * (1.007226 + square * (0.015085 + fourth * (-0.044475 + 0.028874 * square - 0.005916 * fourth)))
    return x, y


_SCALE: Final = WIDTH / 2 / _on_plane((180, 0))[0]
_EQUATOR_Y: Final = _SCALE * _on_plane((0, _NORTH))[1]
HEIGHT: Final = round(_EQUATOR_Y - _SCALE * _on_plane((0, _SOUTH))[1])


def _pixel(point: Point) -> tuple[int, int]:
    return floor(point[0] + 0.5), floor(point[1] + 0.5)


def _path(ring: Ring) -> str:
    """A ring as an SVG path in whole units with relative points; empty for a ring without an interior."""
    points: list[tuple[int, int]] = []
    for point in map(_pixel, ring):
        if not points or point != points[-1]:
            points.append(point)
    if points[0] == points[-1]:
        points.pop()
    if len(points) < _FEWEST_CORNERS:
        return ""
    steps = [str(b - a) for before, after in pairwise(points) for a, b in zip(before, after, strict=True)]
    lines = " ".join(steps).replace(" -", "-")
    return f"M{points[0][0]} {points[0][1]}l{lines}z"


def _middle(rings: Iterable[Ring]) -> Point:
    """The centre of the largest ring."""
    return max(map(_area_and_centre, rings))[1]


def _area_and_centre(ring: Ring) -> tuple[float, Point]:
    area = x = y = 0.0
    for (x0, y0), (x1, y1) in pairwise(ring):
        cross = x0 * y1 - x1 * y0
        area, x, y = area + cross, x + (x0 + x1) * cross, y + (y0 + y1) * cross
    return abs(area) / 2, (x / (3 * area), y / (3 * area)) if area else ring[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
