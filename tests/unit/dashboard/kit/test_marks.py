"""Marks: what changed against the hour before, as a sign and in words."""

import re

import pytest

from services.dashboard.kit.cards import marks, ranking
from services.dashboard.kit.cards.marks import NO_MARK, Before
from services.dashboard.kit.cards.ranking import Hour

BEFORE = Before({"first": 50, "second": 30, "third": 12, "fourth": 8}, 100)


def mark(name: str, place: int, share: float | None = 0.1, before: Before | None = BEFORE) -> tuple[str, str]:
    """The sign and the words."""
    found = re.fullmatch(r'<td class="against \w+"><span role="img" title="([^"]*)">([^<]+)</span></td>',
                         marks.cell(name, place, share, before, "views"))  # fmt: skip
    assert found
    return found[2], found[1]


@pytest.mark.parametrize(
    ("name", "place", "share", "sign", "words"),
    [
        ("third", 1, 0.3, "▲2", "1st, 3rd in the hour before; 30 % of views, 12 % before"),
        ("first", 2, 0.4, "▼1", "2nd, 1st in the hour before; 40 % of views, 50 % before"),
        ("first", 1, 0.7, "↗", "1st, 1st in the hour before; 70 % of views, 50 % before"),
        ("first", 1, 0.3, "↘", "1st, 1st in the hour before; 30 % of views, 50 % before"),
        ("fifth", 3, 0.2, "new", "3rd, not seen in the hour before; 20 % of views"),
        ("third", 1, None, "▲2", "1st, 3rd in the hour before"),
    ],
)
def test_a_mark_says_what_changed(name: str, place: int, share: float | None, sign: str, words: str) -> None:
    assert mark(name, place, share) == (sign, words)


def test_a_name_below_the_first_hundred_is_not_called_unseen() -> None:
    full = Before({f"name-{place}": 200 - place for place in range(100)}, 20_000)
    assert mark("other", 4, 0.2, full)[1] == "4th, not among the first 100 in the hour before; 20 % of views"


@pytest.mark.parametrize(
    ("before", "share"),
    [(None, 0.9), (Before({}), 0.9), (BEFORE, 0.505), (BEFORE, None), (Before({"first": 50}), 0.9)],
)
def test_nothing_is_marked_without_a_change_or_an_hour_before(before: Before | None, share: float | None) -> None:
    assert marks.cell("first", 1, share, before, "views") == NO_MARK


def test_marks_take_no_space_that_was_not_there_before() -> None:
    rows = ranking.rows({"first": 5, "second": 4})
    for hour in (Hour(total=9), Hour(before=Before({"second": 5, "first": 4}, 9), total=9)):
        table = ranking.numbered("pages", "Pages", "Path", rows, empty="None.", hour=hour)
        assert table.count('<td class="against') == 2
        assert 'class="against" style="width:40px"' in table
    assert "against" not in ranking.numbered("pages", "Pages", "Path", rows, empty="None.")


def test_names_beyond_the_limit_say_what_they_are() -> None:
    table = ranking.numbered("pages", "Pages", "Path", ranking.rows({"(other)": 5}), empty="None.")
    assert re.search(r'title="All names [^"]*MAX_NAMES', table)
    assert "background:var(--muted)" in table
