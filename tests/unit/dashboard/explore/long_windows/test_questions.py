"""What is asked of history for a viewer's choices."""

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
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
from services.dashboard.explore.long_windows.measures import LABELS, LongMeasure, is_sales
from services.dashboard.explore.long_windows.picks import pick_of, read_pick, read_zoom_pick, zoom_pick
from services.dashboard.explore.long_windows.zoom import path, read_zoom, zoom_text, zoomed
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
@pytest.mark.parametrize("measure", list(LABELS))
def test_history_accepts_every_question(window: Window, compare: str, measure: LongMeasure) -> None:
    days = Days(date(2026, 10, 1), date(2026, 11, 28)) if window == "dates" else None
    for interval in intervals_of(window, days):
        choices = LongChoices(
            window=window,
            interval=interval,
            compare=compare,
            measure=measure,
            days=days,
            wanted=Filter("human", (("category", frozenset({"Books", "A&B=C"})),)),
        )
        asked = questions(choices, clock_of("Europe/Berlin"), "")
        assert (asked.hours is None) == (not has_weekdays(choices))
        assert (asked.currencies is None) == (not is_sales(measure))
        for question in (*(getattr(asked, own.name) for own in fields(asked)), all_names(asked.ranked, 10_000)):
            if question is None:
                continue
            read = read_question(question.kind, question.parameters, NOW, "EUR")
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
    alone = {**common, "interval": ["day"], "limit": ["10000"], "metrics": ["visitors"]}
    assert said(asked.visits) == {**alone, "by": ["eventsPerVisitor"]}
    assert said(asked.ages) == {**alone, "by": ["age"]}
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


SALES = "revenue,orders,profit,refunded,refunds,without_cost"


def test_sales_are_asked_for_with_what_is_shown_beside_them() -> None:
    asked = questions(LongChoices(measure="profit"), UTC_CLOCK, "")
    in_order = "profit,revenue,orders,refunded,refunds,without_cost"
    metrics = [said(own)["metrics"] for own in (asked.totals, asked.series, asked.ranked, asked.ages)]
    assert metrics == [[SALES], [in_order], [in_order], ["views"]]
    assert asked.currencies is not None
    assert said(asked.currencies)["by"] == ["currency"]


def test_currencies_are_in_the_order_of_their_orders_and_need_no_note() -> None:
    by_currency = questions(LongChoices(measure="revenue", breakdown="currency"), UTC_CLOCK, "")
    assert said(by_currency.ranked)["metrics"][0].startswith("orders,revenue,")
    wanted = Filter("all", (("currency", frozenset({"USD"})),))
    filtered = questions(LongChoices(measure="revenue", wanted=wanted), UTC_CLOCK, "")
    assert by_currency.currencies is filtered.currencies is None


def test_sessions_are_asked_for_where_the_filters_leave_them_known() -> None:
    shop = (("site", frozenset({"shop.example"})),)
    asked = questions(LongChoices(wanted=Filter("human", shop), compare="yesterday"), UTC_CLOCK, "").sessions
    assert asked is not None
    assert said(asked) == {
        "window": ["24h"], "timezone": ["UTC"], "interval": ["hour"], "audience": ["human"], "site": ["shop.example"],
        "compare": ["yesterday"], "metrics": ["sessions,bounces,bounce_rate,views_per_session,seconds_per_session"],
    }  # fmt: skip
    narrow = LongChoices(wanted=Filter("all", (*shop, ("country", frozenset({"Peru"})))))
    assert questions(narrow, UTC_CLOCK, "").sessions is None


ZOOMS = {
    "2026-11": ("month", "2026-10-31T23:00", "2026-11-30T23:00"),
    "2026-12": ("month", "2026-11-30T23:00", "2026-12-31T23:00"),
    "2026-03-29": ("day", "2026-03-28T23:00", "2026-03-29T22:00"),
    "2026-11-27T10:00:00Z": ("hour", "2026-11-27T10:00", "2026-11-27T11:00"),
}


@pytest.mark.parametrize("text", list(ZOOMS))
def test_a_zoom_is_a_bucket_of_the_viewers_calendar(text: str) -> None:
    clock = clock_of("Europe/Berlin")
    bucket = read_zoom(text, clock)
    assert bucket is not None
    interval, start, end = ZOOMS[text]
    assert bucket.interval == interval
    assert [f"{own:%Y-%m-%dT%H:%M}" for own in (bucket.start, bucket.end)] == [start, end]
    assert zoom_text(bucket.start, bucket.interval, clock) == text
    assert read_zoom_pick(zoom_pick(text)) == text


def test_anything_else_is_no_zoom() -> None:
    texts = (
        None,
        7,
        "",
        "2026",
        "2026-00",
        "2026-02-29",
        "2026-11-27T10:00",
        "2026-11-27T10:00:01Z",
        "0001-01",
        "9999-12",
    )
    assert [read_zoom(text, UTC_CLOCK) for text in texts] == [None] * len(texts)
    assert read_zoom("2011-12-30", clock_of("Pacific/Apia")) is None, "a day that the zone left out"
    assert [read_zoom_pick(text) for text in (None, 7, "2026-11", "zoom/<b>", f"zoom/{'2' * 30}")] == [None] * 5
    assert read_zoom_pick(zoom_pick("")) == ""


def test_half_an_hour_at_the_start_of_a_day_zooms_to_the_hour() -> None:
    kathmandu = clock_of("Asia/Kathmandu")
    start = datetime(2026, 11, 26, 18, 15, tzinfo=UTC)
    assert zoom_text(start, "hour", kathmandu) == "2026-11-26T18:00:00Z"


def test_a_zoom_asks_for_the_bucket_by_what_it_consists_of() -> None:
    clock = clock_of("Europe/Berlin")
    month, hour = read_zoom("2026-11", clock), read_zoom("2026-11-27T10:00:00Z", clock)
    assert month is not None
    assert hour is not None
    choices = LongChoices(window="12mo", interval="month")
    asked = questions(zoomed(choices, month), clock, "")
    assert said(asked.series) == {
        "from": ["2026-10-31T23:00:00Z"], "to": ["2026-11-30T23:00:00Z"], "interval": ["day"],
        "timezone": ["Europe/Berlin"], "metrics": ["views"],
    }  # fmt: skip
    assert asked.hours is not None
    minutes = questions(zoomed(choices, hour), clock, "")
    assert (said(minutes.series)["interval"], minutes.hours) == (["minute"], None)
    read = read_question("timeseries", minutes.series.parameters, NOW, "EUR")
    assert len(buckets(read.window.span, read.window.interval, read.window.zone)) == 60


def test_the_way_back_has_a_step_for_each_bucket_above() -> None:
    clock = clock_of("Europe/Berlin")
    hour = read_zoom("2026-11-30T23:00:00Z", clock)  # of 1 December in Berlin
    assert hour is not None

    def steps(choices: LongChoices) -> list[str]:
        return [zoom_text(own.start, own.interval, clock) for own in path(choices, hour, clock)]

    assert steps(LongChoices(window="12mo", interval="month")) == ["2026-12", "2026-12-01", "2026-11-30T23:00:00Z"]
    assert steps(LongChoices(window="30d", interval="day")) == ["2026-12-01", "2026-11-30T23:00:00Z"]
    assert steps(LongChoices(window="24h", interval="hour")) == steps(LongChoices(interval="minute"))
    assert hour.end - hour.start == timedelta(hours=1)
