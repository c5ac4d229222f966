"""Instants in viewers' time zones."""

from typing import Any

import pytest

from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from tests.support.samples.rollup import NOON_MS

SUMMER_MS = 1_783_080_000_000  # 2026-07-03T12:00:00Z


def test_instants_are_in_utc_without_a_known_zone() -> None:
    assert clock_of(None) is clock_of("UTC") is UTC_CLOCK
    assert UTC_CLOCK.time(NOON_MS + 61_001) == "12:01:01"
    assert UTC_CLOCK.named_time(NOON_MS) == "12:00:00 UTC"
    assert UTC_CLOCK.day(NOON_MS - 20 * 86_400_000) == "2 Nov 2026"
    assert UTC_CLOCK.full_time(NOON_MS + 7) == "2026-11-22 12:00:00.007"


@pytest.mark.parametrize(
    ("zone", "instant_ms", "expected", "ahead_minutes"),
    [
        ("Europe/Berlin", NOON_MS, "13:00:00 CET", 60),
        ("Europe/Berlin", SUMMER_MS, "14:00:00 CEST", 120),
        ("America/New_York", NOON_MS, "07:00:00 EST", -300),
        ("Asia/Kathmandu", NOON_MS, "17:45:00 UTC+5:45", 345),
        ("America/Sao_Paulo", NOON_MS, "09:00:00 UTC−3", -180),
    ],
)
def test_a_zone_has_a_name_and_daylight_saving_time(
    zone: str, instant_ms: int, expected: str, ahead_minutes: int
) -> None:
    clock = clock_of(zone)
    assert clock.named_time(instant_ms) == expected
    assert clock.offset_ms(instant_ms) == ahead_minutes * 60_000


def test_the_day_is_that_of_the_zone() -> None:
    assert clock_of("Pacific/Auckland").day(NOON_MS) == "23 Nov 2026"


def test_the_tooltip_of_a_time_gives_utc() -> None:
    clock = clock_of("Europe/Berlin")
    assert clock.in_html(NOON_MS, clock.time(NOON_MS)) == (
        '<time datetime="2026-11-22T12:00:00.000Z" title="2026-11-22 12:00:00.000 UTC">13:00:00</time>'
    )
    assert clock.in_html(None, clock.time(None)) == "–"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a" * 10_000, "\0", "<b>", ""])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert clock_of(name) is UTC_CLOCK


@pytest.mark.parametrize("value", [None, "noon", True, 10**30, -(10**30), float("nan"), float("inf"), [], {}])
def test_anything_but_an_instant_is_a_dash(value: Any) -> None:
    clock = clock_of("Europe/Berlin")
    assert [clock.time(value), clock.day(value), clock.full_time(value), clock.named_time(value)] == ["–"] * 4
    assert clock.offset_ms(value) == 0
