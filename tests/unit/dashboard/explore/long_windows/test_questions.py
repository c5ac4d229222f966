"""What is asked of history for a viewer's choices."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.dashboard.explore.columns import COLUMNS
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.long_windows.choices import (
    BREAKDOWNS,
    COMPARISONS,
    INTERVALS,
    LISTED,
    OFFERED,
    WINDOWS,
    Days,
    LongChoices,
    Window,
    all_names,
    has_weekdays,
    intervals_of,
    questions,
    read_days,
)
from services.dashboard.explore.long_windows.picks import pick_of, read_pick
from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from services.dashboard.sources.history.questions import Question
from services.history.questions.dimensions import DIMENSIONS
from services.history.questions.parameters import read_question
from services.history.questions.spans import buckets
from services.history.questions.windows import COMPARES, LENGTHS

NOW = datetime(2026, 11, 28, 10, 31, tzinfo=UTC)
MOST_BUCKETS = 1_500


def said(question: Question) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in question.parameters:
        found.setdefault(name, []).append(value)
    return found


def test_the_tables_are_those_of_history() -> None:
    assert set(BREAKDOWNS) == set(DIMENSIONS)
    assert set(WINDOWS) - {"dates"} == set(LENGTHS) == set(OFFERED)
    assert {*COLUMNS.filters, *LISTED} == set(BREAKDOWNS)
    assert set(COMPARISONS) - {""} == set(COMPARES)


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("compare", list(COMPARISONS))
def test_history_accepts_every_question(window: Window, compare: str) -> None:
    days = Days(date(2026, 10, 1), date(2026, 11, 28)) if window == "dates" else None
    for interval in intervals_of(window, days):
        choices = LongChoices(
            window=window,
            interval=interval,
            compare=compare,
            days=days,
            wanted=Filter("human", (("category", frozenset({"Books", "A&B=C"})),)),
        )
        asked = questions(choices, clock_of("Europe/Berlin"), "")
        for question in (asked.totals, asked.series, asked.ranked, asked.hours, all_names(asked.ranked, 10_000)):
            if question is None:
                assert not has_weekdays(choices)
                continue
            read = read_question(question.kind, question.parameters, NOW, "EUR")  # type: ignore[arg-type]  # one of KINDS
            assert len(buckets(read.window.span, read.window.interval, read.window.zone)) <= MOST_BUCKETS


def test_a_question_has_the_choices() -> None:
    wanted = Filter("bot", (("category", frozenset({"Toys", "Books"})), ("country", frozenset({"Peru"}))))
    choices = LongChoices(
        window="7d", interval="day", measure="visitors", compare="previous", wanted=wanted, breakdown="page"
    )
    asked = questions(choices, clock_of("Asia/Kathmandu"), "")
    common = {
        "window": ["7d"], "timezone": ["Asia/Kathmandu"], "audience": ["bot"], "category": ["Books", "Toys"],
        "country": ["Peru"],
    }  # fmt: skip
    own = {**common, "interval": ["day"], "compare": ["previous"]}
    assert said(asked.totals) == own
    assert said(asked.series) == {**own, "metrics": ["visitors"]}
    assert said(asked.ranked) == {**own, "by": ["page"], "limit": ["10"], "metrics": ["visitors,views"]}
    assert asked.hours is not None
    assert said(asked.hours) == {**common, "interval": ["hour"], "metrics": ["views"]}
    names = {**own, "by": ["page"], "limit": ["500"], "metrics": ["visitors,views"]}
    del names["compare"]
    assert said(all_names(asked.ranked, 500)) == names


def test_the_same_choices_are_the_same_question() -> None:
    one, other = (
        LongChoices(wanted=Filter("all", names))
        for names in (
            (("category", frozenset({"a", "b", "c"})), ("country", frozenset({"x"}))),
            (("country", frozenset({"x"})), ("category", frozenset({"c", "b", "a"}))),
        )
    )
    assert questions(one, UTC_CLOCK, "") == questions(other, UTC_CLOCK, "")


def test_a_dashboard_of_a_site_never_asks_about_another() -> None:
    choices = LongChoices(wanted=Filter("all", (("site", frozenset({"other.example"})),)))
    asked = questions(choices, UTC_CLOCK, "shop.example")
    for question in (asked.totals, asked.series, asked.ranked):
        assert said(question)["site"] == ["shop.example"]
    assert said(questions(choices, UTC_CLOCK, "").totals)["site"] == ["other.example"]


@pytest.mark.parametrize(
    ("first", "last", "hours"), [("2026-03-29", "2026-03-29", 23), ("2026-10-25", "2026-10-25", 25)]
)
def test_days_are_the_viewers_when_clocks_change(first: str, last: str, hours: int) -> None:
    days = Days(date.fromisoformat(first), date.fromisoformat(last))
    asked = said(questions(LongChoices(window="dates", days=days), clock_of("Europe/Berlin"), "").totals)
    start, end = (datetime.fromisoformat(asked[name][0]) for name in ("from", "to"))
    assert (end - start).total_seconds() == hours * 3600
    assert start.astimezone(ZoneInfo("Europe/Berlin")).isoformat()[:16] == f"{first}T00:00"


def test_days_are_in_order_and_in_reach() -> None:
    assert read_days(date(2026, 3, 2), date(2026, 3, 1)) == Days(date(2026, 3, 1), date(2026, 3, 2))
    for first, last in ((date(1, 1, 1), date(9999, 12, 31)), (date(9999, 1, 1), date(9999, 12, 31))):
        days = read_days(first, last)
        assert days.number <= 3_660
        asked = questions(LongChoices(window="dates", days=days, interval="month"), UTC_CLOCK, "")
        read_question("timeseries", asked.series.parameters, NOW, "EUR")


def test_intervals_follow_the_number_of_days() -> None:
    usual = {
        number: intervals_of(
            "dates", Days(date(2026, 1, 1), date.fromordinal(date(2026, 1, 1).toordinal() + number - 1))
        )
        for number in (1, 7, 30, 100, 365, 3_000)
    }
    assert {number: found[0] for number, found in usual.items()} == {
        1: "hour", 7: "hour", 30: "day", 100: "day", 365: "month", 3_000: "month"
    }  # fmt: skip
    assert all(interval in INTERVALS for found in usual.values() for interval in found)


def test_a_pick_survives_the_browser_and_anything_else_is_none() -> None:
    assert read_pick(pick_of("category", "a/b <c>")) == ("category", "a/b <c>")
    assert [read_pick(text) for text in (None, 7, "", "category", "shoe size/9", "/Books")] == [None] * 6
