"""Stretches of UTC as viewers in different zones read them."""

from services.dashboard.explore import stretches
from services.dashboard.explore.selection import Span
from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from tests.support.samples.segments import MINUTE

KATHMANDU = clock_of("Asia/Kathmandu")
HALF_HOUR = Span(MINUTE + 30, 30)  # 10:30 to 11:00 UTC


def test_a_minute_is_told_by_its_start_and_more_by_both_ends() -> None:
    assert stretches.told(Span(MINUTE + 1, 1), UTC_CLOCK) == "10:30"
    assert stretches.named(HALF_HOUR, UTC_CLOCK) == "10:30 to 11:00 UTC"


def test_a_stretch_of_utc_stays_the_same_where_hours_begin_at_another_minute() -> None:
    assert stretches.told(HALF_HOUR, KATHMANDU) == "16:15 to 16:45"
    assert stretches.with_utc(HALF_HOUR, KATHMANDU) == "16:15 to 16:45 UTC+5:45 · 10:30 to 11:00 UTC"


def test_utc_is_told_once_to_whoever_lives_by_it() -> None:
    assert stretches.with_utc(HALF_HOUR, clock_of("UTC")) == "10:30 to 11:00 UTC"
