"""Editions: what changed makes the page of the page before, whichever that is."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.kit.cards.edition import Edition
from tests.support.editions import page_of

PAGES = st.lists(st.sampled_from(["<tr>1", "<tr>2", "<tr>é", '{"a":', "<div>🛒", "text", "<tr>", ""]), max_size=30).map(
    lambda chunks: "".join(chunks).encode()
)


@given(PAGES, PAGES)
def test_changes_make_the_page_of_any_other(before: bytes, after: bytes) -> None:
    assert page_of(Edition(after).since(Edition(before)), before) == after
    assert page_of(Edition(after).since(None)) == after


def test_only_what_is_new_is_sent() -> None:
    rows = [f"<tr>{number}".encode() * 20 for number in range(100)]
    before, after = Edition(b"".join(rows)), Edition(b"".join([b"<tr>new", *rows[:50], b"<tr>5x", *rows[51:]]))
    head, _, new = after.since(before).partition(b"\n")
    assert new == b"<tr>new<tr>5x"
    assert json.loads(head) == {
        "edition": after.digest,
        "before": before.digest,
        "parts": [0, 0, 7, -7, sum(map(len, rows[:50])), 6, len(rows[50]) - 6, sum(map(len, rows[51:])), 0],
    }


def test_a_number_that_replaces_one_as_long_has_not_moved_the_rest() -> None:
    before, after = (Edition(f"<tr>a<td>{number}<td>b".encode()) for number in ("12", "13"))
    assert json.loads(after.since(before).partition(b"\n")[0])["parts"] == [0, 5, 6, 0, 5, 0]


def test_a_property_of_a_figure_is_sent_alone() -> None:
    before, after = (
        Edition(json.dumps({"figure": f'{{"x":[1],"y":[{number}],"width":3}}'}).encode()) for number in (4, 5)
    )
    assert after.since(before).partition(b"\n")[2] == rb",\"y\":[5]"


def test_an_unchanged_page_is_named_alone() -> None:
    page = b"<tr>1<tr>1<tr>1" * 1000
    assert Edition(page).since(Edition(page)).partition(b"\n")[2] == b""
    assert len(Edition(page).since(Edition(page))) < 120


def test_a_point_of_a_curve_that_moves_is_sent_alone() -> None:
    points = [f"{place / 2:.1f}% 94.0%" for place in range(200)]
    before = Edition(f"<i style='clip-path:polygon({','.join(points)})'>".encode())
    points[60], points[-1] = "30.0% 12.3%", "99.5% 45.6%"
    after = Edition(f"<i style='clip-path:polygon({','.join(points)})'>".encode())
    assert after.since(before).partition(b"\n")[2] == b",30.0% 12.3%,99.5% 45.6%)'>"
    assert len(after.since(before)) < 200
