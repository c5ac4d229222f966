"""The small curves: from zero, across the whole width, within their box."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.kit.cards import sparkline


def heights(html: str) -> list[float]:
    """Heights of the line's points: 0 is the floor, 1 the greatest count."""
    line = html.split("polygon(")[2].split("calc")[0]
    return [(94 - float(y)) / 88 for _, y in re.findall(r"([\d.]+)% ([\d.]+)%", line)]


def test_the_curve_rises_from_zero_to_the_greatest_count() -> None:
    assert heights(sparkline.draw([0, 5, 10], "")) == [0, 0.5, 1]


def test_zeros_are_a_line_on_the_floor() -> None:
    assert heights(sparkline.draw([0, 0], "")) == [0, 0]


@given(st.lists(st.integers(min_value=0, max_value=10**9), min_size=2, max_size=60))
def test_points_are_in_the_box_from_left_to_right(counts: list[int]) -> None:
    area = sparkline.draw(counts, "").split("polygon(")[1].split(")")[0]
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+)% ([\d.]+)%", area)]
    assert len(points) == len(counts) + 2
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert (points[0], points[-1]) == ((0, 100), (100, 100))
    assert all(0 <= y <= 100 for _, y in points)


def test_its_label_is_text() -> None:
    assert 'aria-label="&quot;&gt;&lt;b&gt;"' in sparkline.draw([1, 2], '"><b>')


def test_one_point_is_no_curve() -> None:
    with pytest.raises(AssertionError):
        sparkline.draw([1], "")


def test_counts_may_have_places_and_a_minimum_top() -> None:
    html = sparkline.draw([1, 3], "", at=[2, 4], places=5, least_top=6)
    line = html.split("polygon(")[2].split("calc")[0]
    assert re.findall(r"([\d.]+)% [\d.]+%", line) == ["50.0", "100.0"]
    assert heights(html) == [pytest.approx(1 / 6, abs=0.001), 0.5]
    area = html.split("polygon(")[1].split(")")[0]
    assert area.startswith("50.0% 100%,")
