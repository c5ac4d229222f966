"""Spans, buckets and windows: days of 23 and 25 hours, zones without midnight, months."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.history.questions.mistake import Mistake
from services.history.questions.pieces import UNITS, pieces_of
from services.history.questions.spans import INTERVALS, Interval, Span, bucket_start, buckets, moved
from services.history.questions.windows import COMPARES, LENGTHS, Compare, Window, compared, iso, read_window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Africa/Cairo", "America/Havana", "Pacific/Apia")
]
LEAP_DAYS = [date(year, 2, day) for year in (2024, 2025) for day in (1, 27, 28)] + [date(2024, 2, 29), date(2025, 3, 1)]
HOURS = st.integers(365_000, 560_000).map(lambda hours: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


def at(text: str, zone: ZoneInfo = ZoneInfo("UTC")) -> datetime:  # noqa: B008 - a constant
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def hours(found: Span) -> float:
    return (found.end - found.start) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("Africa/Cairo", "2026-04-24", 23),  # has no midnight
        ("America/Havana", "2026-11-01", 25),  # has two
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Kathmandu", "2026-10-25", 24),
    ],
)
def test_a_day_is_as_long_as_the_clock_says(zone: str, day: str, length: float) -> None:
    noon = at(f"{day}T12:00", ZoneInfo(zone))
    start = bucket_start(noon, "day", ZoneInfo(zone))
    (found, _) = buckets(Span(start, start + timedelta(hours=40)), "day", ZoneInfo(zone))
    assert hours(found) == length
    local = [instant.astimezone(ZoneInfo(zone)) for instant in (found.start, found.end - timedelta(seconds=1))]
    assert [own.date().isoformat() for own in local] == [day, day]


def test_a_day_that_a_zone_left_out_has_no_bucket() -> None:
    zone = ZoneInfo("Pacific/Apia")
    found = buckets(Span(at("2011-12-29", zone), at("2012-01-01", zone)), "day", zone)
    assert [own.start.astimezone(zone).day for own in found] == [29, 31]


@given(st.sampled_from(ZONES), st.sampled_from(INTERVALS), HOURS, st.integers(1, 80_000))
def test_buckets_cover_the_span_and_begin_where_the_calendar_says(
    zone: ZoneInfo, interval: Interval, start: datetime, minutes: int
) -> None:
    span = Span(start, start + timedelta(minutes=minutes if interval != "minute" else minutes % 600 + 1))
    found = buckets(span, interval, zone)
    assert (found[0].start, found[-1].end) == span
    assert all(before.end == after.start for before, after in pairwise(found))
    for own in found:
        assert bucket_start(own.end - timedelta(microseconds=1), interval, zone) <= own.start
    for own in found[1:]:
        assert bucket_start(own.start, interval, zone) == own.start


@given(HOURS, st.lists(st.integers(0, 5_000), min_size=2, max_size=5, unique=True))
def test_pieces_are_whole_units_that_make_up_each_bucket(start: datetime, minutes: list[int]) -> None:
    edges = [start + timedelta(minutes=minute) for minute in sorted(minutes)]
    spans = [Span(*own) for own in pairwise(edges)]
    pieces = pieces_of(spans)
    assert pieces is not None
    for place, span in enumerate(spans):
        own = sorted(piece.span for piece in pieces if piece.place == place)
        assert (own[0].start, own[-1].end) == span
        assert all(before.end == after.start for before, after in pairwise(own))
    for piece in pieces:
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        assert (piece.span.start - epoch) % UNITS[piece.unit] == timedelta(0)
        assert (piece.span.end - piece.span.start) % UNITS[piece.unit] == timedelta(0)


def test_long_buckets_are_of_days_and_short_ones_of_minutes() -> None:
    pieces = pieces_of([Span(at("2026-11-01T22:58"), at("2026-11-04T01:02"))])
    assert pieces is not None
    assert [(piece.unit, hours(piece.span)) for piece in sorted(pieces, key=lambda piece: piece.span)] == [
        ("1m", 2 / 60),
        ("1h", 1),
        ("1d", 48),
        ("1h", 1),
        ("1m", 2 / 60),
    ]
    assert pieces_of([Span(at("2026-11-01T22:58:30"), at("2026-11-04T01:02"))]) is None


NOW = at("2026-11-28T10:31:07")


@pytest.mark.parametrize(
    ("parameters", "start", "end", "interval"),
    [
        ({}, "2026-11-27T11:00", "2026-11-28T11:00", "hour"),
        ({"window": "4h"}, "2026-11-28T06:32", "2026-11-28T10:32", "minute"),
        ({"window": "7d"}, "2026-11-21T11:00", "2026-11-28T11:00", "hour"),
        ({"window": "7d", "interval": "day"}, "2026-11-22", "2026-11-29", "day"),
        ({"window": "30d"}, "2026-10-30", "2026-11-29", "day"),
        ({"window": "12mo"}, "2025-12-01", "2026-12-01", "month"),
        ({"window": "12mo", "interval": "day"}, "2025-12-01", "2026-11-29", "day"),
        ({"from": "2026-11-20"}, "2026-11-20", "2026-11-28T10:32", "hour"),
        ({"from": "2026-11-20", "interval": "day"}, "2026-11-20", "2026-11-29", "day"),
        (
            {"from": "2026-11-20T01:00+01:00", "to": "2026-11-20T02:00 00:30"},
            "2026-11-20",
            "2026-11-20T01:30",
            "minute",
        ),
    ],
)
def test_windows(parameters: dict[str, str], start: str, end: str, interval: str) -> None:
    window = read_window(parameters, NOW)
    assert (window.span, window.interval) == (Span(at(start), at(end)), interval)


def test_days_begin_with_the_day_also_where_the_clock_skips_midnight() -> None:
    cairo = ZoneInfo("Africa/Cairo")
    today = at("2026-04-24T01:00", cairo)  # the first instant of that day
    for now in (today + timedelta(hours=9), at("2026-04-28T10:00", cairo)):
        window = read_window({"window": "7d", "interval": "day", "timezone": "Africa/Cairo"}, now)
        first = now.astimezone(cairo).date() - timedelta(days=6)
        assert window.span.start == bucket_start(at(f"{first}T12:00", cairo), "day", cairo)
    window = Window(Span(today, at("2026-04-25", cairo)), "hour", cairo)
    assert compared(window, "yesterday").span == Span(at("2026-04-23", cairo), at("2026-04-24T01:00", cairo))


def test_windows_of_days_follow_the_zone() -> None:
    window = read_window({"window": "30d", "timezone": "Europe/Berlin"}, at("2026-04-10T23:30"))
    assert window.span == Span(at("2026-03-13", BERLIN), at("2026-04-12", BERLIN))
    assert hours(window.span) == 30 * 24 - 1


@pytest.mark.parametrize(
    ("parameters", "compare", "start", "end"),
    [
        ({"window": "30d"}, "previous", "2026-09-30", "2026-10-30"),
        ({"window": "12mo"}, "previous", "2024-12-01", "2025-12-01"),
        ({"window": "24h"}, "previous", "2026-11-26T11:00", "2026-11-27T11:00"),
        ({"window": "24h"}, "yesterday", "2026-11-26T11:00", "2026-11-27T11:00"),
        ({"window": "12mo"}, "last_year", "2024-12-01", "2025-12-01"),
        ({"from": "2024-02-29", "to": "2024-03-01"}, "last_year", "2023-02-28", "2023-03-01"),
        ({"from": "2024-02-28", "to": "2024-02-29"}, "last_year", "2023-02-28", "2023-03-01"),
        ({"from": "2024-02-01", "to": "2024-02-29T06:00"}, "last_year", "2023-02-01", "2023-03-01"),
        ({"from": "2025-02-28", "to": "2025-03-01"}, "last_year", "2024-02-28", "2024-02-29"),
        ({"from": "2025-02-24", "to": "2025-03-01"}, "last_year", "2024-02-24", "2024-02-29"),
        ({"from": "2025-02-01", "to": "2025-03-01"}, "last_year", "2024-02-01", "2024-03-01"),  # whole months
        ({"from": "2025-02-28T10:00", "to": "2025-03-01T10:00"}, "last_year", "2024-02-28T10:00", "2024-02-29T10:00"),
        ({"from": "2025-02-28T20:00", "to": "2025-03-01T02:00"}, "last_year", "2024-02-28T20:00", "2024-02-29T02:00"),
        ({"from": "2024-02-29T20:00", "to": "2024-03-01T02:00"}, "last_year", "2023-02-28T20:00", "2023-03-01T02:00"),
        ({"from": "2025-02-20T10:00", "to": "2025-03-05T10:00"}, "last_year", "2024-02-20T10:00", "2024-03-05T10:00"),
        ({"from": "2024-02-29T06:00", "to": "2024-02-29T07:00"}, "last_year", "2023-02-28T06:00", "2023-02-28T07:00"),
        ({"from": "2026-03-01", "to": "2026-04-01", "interval": "day"}, "previous", "2026-02-01", "2026-03-01"),
        ({"from": "2026-03-02", "to": "2026-04-02", "interval": "day"}, "previous", "2026-01-30", "2026-03-02"),
    ],
)
def test_compared_windows(parameters: dict[str, str], compare: str, start: str, end: str) -> None:
    found = compared(read_window(parameters, NOW), compare)  # type: ignore[arg-type]
    assert found.span == Span(at(start), at(end))


@pytest.mark.parametrize(
    ("parameters", "compare", "end"),
    [
        ({"window": "24h"}, "previous", "2026-11-27T10:30"),
        ({"window": "30d"}, "previous", "2026-10-29T10:30"),
        ({"window": "12mo"}, "last_year", "2025-11-28T10:30"),
        ({"from": "2026-11-28", "to": "2026-11-28T09:00"}, "yesterday", "2026-11-27T09:00"),  # over before
        ({"from": "2026-11-29", "to": "2026-11-30"}, "yesterday", "2026-11-28"),  # begins after
    ],
)
def test_a_running_window_is_compared_up_to_the_same_time(parameters: dict[str, str], compare: str, end: str) -> None:
    window = read_window(parameters, NOW)
    whole = compared(window, compare)  # type: ignore[arg-type]
    found = compared(window, compare, at("2026-11-28T10:30"))  # type: ignore[arg-type]
    assert found.span == Span(whole.span.start, at(end))


@pytest.mark.parametrize(
    ("day", "end"), [("28", "2026-02-28T10:30"), ("29", "2026-03-01"), ("30", "2026-03-01"), ("31", "2026-03-01")]
)
def test_at_the_end_of_a_longer_month_all_of_the_shorter_one_is_over(day: str, end: str) -> None:
    window = read_window({"from": "2026-03-01", "to": "2026-04-01", "interval": "month"}, NOW)
    assert compared(window, "previous", at(f"2026-03-{day}T10:30")).span == Span(at("2026-02-01"), at(end))


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Africa/Cairo", "America/Havana"]).map(ZoneInfo),
    first=st.one_of(st.dates(date(2011, 1, 2), date(2030, 1, 1)), st.sampled_from(LEAP_DAYS)),
    number=st.integers(1, 800),
)
def test_last_year_has_the_days_of_the_same_dates(zone: ZoneInfo, first: date, number: int) -> None:
    def day(own: date) -> datetime:
        return bucket_start(at(f"{own}T12:00", zone), "day", zone)

    last = first + timedelta(days=number - 1)
    after = last + timedelta(days=1)
    found = compared(Window(Span(day(first), day(after)), "day", zone), "last_year").span
    if first.day == after.day == 1:  # whole months stay whole
        assert found == Span(day(first.replace(year=first.year - 1)), day(after.replace(year=after.year - 1)))
    else:
        assert found == Span(day(_year_before(first)), day(_year_before(last) + timedelta(days=1)))


def _year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=min(day.day, 28) if day.month == 2 else day.day)


@pytest.mark.parametrize("compare", COMPARES)
@given(zone=st.sampled_from(ZONES), start=HOURS, minutes=st.integers(1, 60 * 24 * 800))
def test_what_a_window_is_compared_with_is_never_empty(
    compare: Compare, zone: ZoneInfo, start: datetime, minutes: int
) -> None:
    window = Window(Span(start, start + timedelta(minutes=minutes)), "day", zone)
    earlier = compared(window, compare).span
    assert earlier.start < earlier.end


@given(st.sampled_from(sorted(LENGTHS)), st.sampled_from(ZONES), HOURS)
def test_a_window_ends_after_now_with_its_running_bucket(name: str, zone: ZoneInfo, now: datetime) -> None:
    window = read_window({"window": name, "timezone": zone.key}, now)
    assert window.span.start < now < window.span.end
    assert bucket_start(now, window.interval, zone) == buckets(window.span, window.interval, zone)[-1].start


def test_the_same_time_of_day_is_kept_across_a_change_of_the_clock() -> None:
    assert moved(at("2026-10-26T08:15", BERLIN), BERLIN, days=-1) == at("2026-10-25T08:15", BERLIN)
    assert moved(at("2026-03-31T08:15", BERLIN), BERLIN, months=-1) == at("2026-02-28T08:15", BERLIN)


def test_times_have_the_decimals_that_they_need() -> None:
    assert iso(at("2026-11-28T10:00")) == "2026-11-28T10:00:00Z"
    assert iso(at("2026-11-28T10:00:00.120")) == "2026-11-28T10:00:00.120Z"
    assert iso(at("2026-11-28T10:00:00.000001")) == "2026-11-28T10:00:00.000001Z"


@given(st.sampled_from(["from", "to", "window", "interval", "timezone"]), st.text(max_size=40))
def test_any_text_is_a_window_or_a_mistake_of_its_parameter(name: str, text: str) -> None:
    mistake = None
    try:
        read_window({"from": "2026-01-01", name: text}, NOW)
    except Mistake as found:
        mistake = found
    assert mistake is None or (mistake.parameter in (name, "from") and "expected" in mistake.message)
