"""The curves of the last minutes: now at the right end, the first point at the left, only what was observed."""

import re

from services.dashboard.operations import recent_curve
from services.dashboard.sources.watch import SLOT_MS, SLOTS
from tests.support.samples.status import NOON_MS

NOW = NOON_MS // SLOT_MS


def xs(html: str) -> list[float]:
    """The x coordinates of the line."""
    line = html.split("polygon(")[2].split("calc")[0]
    return [float(x) for x, _ in re.findall(r"([\d.]+)% ([\d.]+)%", line)]


def drawn(curve: dict[int, float]) -> str:
    return recent_curve.draw(curve, NOON_MS, "CPU", lambda value: f"{value:.0f}")


def test_five_minutes_fill_the_width() -> None:
    html = drawn({NOW - back: back for back in range(2 * SLOTS)})
    assert len(xs(html)) == SLOTS
    assert (xs(html)[0], xs(html)[-1]) == (0, 100)
    assert 'aria-label="CPU, last 5 min: 0 to 59"' in html


def test_a_short_curve_fills_the_width_and_ends_where_reports_ended() -> None:
    assert xs(drawn({NOW: 1, NOW - 1: 2})) == [0, 100]
    assert xs(drawn({NOW: 1, NOW - 1: 2, NOW - 4: 3})) == [0, 75, 100]
    assert "last 25 s" in drawn({NOW: 1, NOW - 4: 3})
    assert xs(drawn({NOW - 59: 1, NOW - 58: 2})) == [0, 1.7]


def test_a_short_gap_is_bridged_and_points_before_a_long_one_are_left_out() -> None:
    assert xs(drawn({NOW: 1, NOW - 12: 2, NOW - 13: 3})) == [0, 7.7, 100]
    assert xs(drawn({NOW: 1, NOW - 1: 2, NOW - 14: 3, NOW - 15: 3})) == [0, 100]


def test_fewer_than_two_points_draw_no_curve() -> None:
    assert drawn({}) == drawn({NOW: 1}) == drawn({NOW - SLOTS: 1, NOW - SLOTS - 1: 2}) == ""


def test_replicas_add_up_slot_by_slot() -> None:
    assert recent_curve.summed([{1: 10, 2: 20}, {2: 5, 3: 7}]) == {1: 10, 2: 25, 3: 7}
    assert recent_curve.summed([]) == {}
