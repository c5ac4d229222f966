"""The generator of the world map: TopoJSON in, paths and dots out; and the generated map."""

import json
import re
from typing import Any

import pytest

from services.dashboard.components.plot import WORLD_FILE
from tools.world_shapes import HEIGHT, SOURCE, WIDTH, as_text, world

# Two squares of ten degrees side by side at 0° north, 0° east; the border between them, the first arc, has bends.
#
#        1
#    ┌───┬───┐       France (250) has the arcs 0 and 1, Germany (276) the first one backwards, and 2.
#    │ F 0 G │ 2
#    └───┴───┘
ARCS = [
    [[10, 0], [2, 3], [-4, 3], [2, 4]],
    [[10, 10], [-10, 0], [0, -10], [10, 0]],
    [[10, 0], [10, 0], [0, 10], [-10, 0]],
]
FRANCE = {"type": "Polygon", "id": "250", "properties": {"name": "France"}, "arcs": [[0, 1]]}
GERMANY = {"type": "MultiPolygon", "id": "276", "properties": {"name": "Germany"}, "arcs": [[[2, ~0]]]}
NOWHERE = {"type": "Polygon", "properties": {"name": "Nowhere"}, "arcs": [[3]]}


def topology(*countries: dict[str, Any], arcs: list[list[list[int]]] | None = None) -> dict[str, Any]:
    return {
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": [*ARCS, *(arcs or [])],
        "objects": {"countries": {"geometries": list(countries)}},
    }


def corners(path: str) -> list[tuple[int, int]]:
    """All points of a path."""
    found = []
    for ring in re.findall(r"M([^M]+)z", path):
        (x, y), *steps = re.findall(r"(-?\d+)[ ]?(-?\d+)", ring)
        at = int(x), int(y)
        found.append(at)
        for step_x, step_y in steps:
            at = at[0] + int(step_x), at[1] + int(step_y)
            found.append(at)
    return found


def test_arcs_that_countries_share_are_followed_both_ways() -> None:
    shapes = world(topology(FRANCE, GERMANY), topology())["shapes"]
    rings = [corners(shapes[name]) for name in ("France", "Germany")]
    france, germany = map(set, rings)
    assert [len(ring) for ring in rings] == [len(france), len(germany)] == [6, 6]
    border = france & germany
    assert len(border) == 4
    there, back = ([point for point in ring if point in border] for ring in rings)
    assert [back[0], *back[:0:-1]] == there
    assert {x for x, _ in france - border} == {WIDTH // 2}
    assert all(x > max(x for x, _ in border) for x, _ in germany - border)


def test_a_ring_across_the_180th_meridian_is_cut_there_and_stays_in_the_picture() -> None:
    across = [[175, -10], [10, 0], [0, 10], [-10, 0], [0, -10]]  # to 185° east, which is 175° west
    shape = world(topology({**FRANCE, "arcs": [[3]]}, arcs=[across]), topology())["shapes"]["France"]
    assert shape.count("M") == 2
    xs = sorted(x for x, _ in corners(shape))
    assert xs[0] >= 0
    assert xs[-1] <= WIDTH
    assert xs[3] < WIDTH // 10
    assert xs[4] > WIDTH - WIDTH // 10
    wrapped = [[175, -10], [5, 0], [-355, 0], [0, 10], [350, 0], [0, -10]]
    assert world(topology({**FRANCE, "arcs": [[3]]}, arcs=[wrapped]), topology())["shapes"]["France"].count("M") == 2


def test_countries_only_in_the_fine_file_are_dots_at_their_largest_island() -> None:
    islands = [[[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]], [[50, 0], [9, 0], [0, 9], [-9, 0], [0, -9]]]
    malta = {"type": "MultiPolygon", "id": "470", "properties": {"name": "Malta"}, "arcs": [[[3]], [[4]]]}
    drawn = world(topology(FRANCE), topology(FRANCE, malta, arcs=islands))
    assert "France" not in drawn["dots"]
    x, y = drawn["dots"]["Malta"]
    assert WIDTH / 2 * (1 + 53 / 180) < x < WIDTH / 2 * (1 + 56 / 180)
    assert 0 < y < HEIGHT


def test_shapes_that_enrich_cannot_name_have_no_name_and_specks_are_left_out() -> None:
    speck = [[5, 5], [0, 0]]
    drawn = world(
        topology(FRANCE, {**NOWHERE, "arcs": [[1, 0]]}, {**GERMANY, "arcs": [[[3]]]}, arcs=[speck]), topology()
    )
    assert set(drawn["shapes"]) == {"France", "Germany"}
    assert len(corners(drawn["unnamed"])) == 6
    assert drawn["shapes"]["Germany"] == ""


def test_the_text_is_json_with_a_country_a_line() -> None:
    drawn = world(topology(FRANCE, GERMANY), topology())
    text = as_text(drawn)
    assert json.loads(text) == json.loads(json.dumps(drawn))
    assert sum(line.startswith('"France": "M') for line in text.splitlines()) == 1


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(WORLD_FILE.read_text(encoding="utf-8"))
    return content


def test_the_stored_map_is_the_generated_one_and_lies_in_the_picture(made: dict[str, Any]) -> None:
    assert WORLD_FILE.read_text(encoding="utf-8") == as_text(made)
    assert (made["source"], made["width"], made["height"]) == (SOURCE, WIDTH, HEIGHT)
    points = [point for path in (*made["shapes"].values(), made["unnamed"]) for point in corners(path)]
    for x, y in [*points, *made["dots"].values()]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
