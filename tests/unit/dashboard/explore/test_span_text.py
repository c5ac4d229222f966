"""Spans of UTC as text for viewers in different zones."""

from services.dashboard.explore import span_text
from services.dashboard.explore.counting.selection import Span
from services.dashboard.kit.time_zones import UTC_CLOCK, clock_of
from tests.support.samples.segments import MINUTE

KATHMANDU = clock_of("Asia/Kathmandu")
HALF_HOUR = Span(MINUTE + 30, 30)  # 10:30 to 11:00 UTC


def test_one_minute_shows_its_start_and_several_show_both_ends() -> None:
    assert span_text.times(Span(MINUTE + 1, 1), UTC_CLOCK) == "10:30"
    assert span_text.with_zone(HALF_HOUR, UTC_CLOCK) == "10:30 to 11:00 UTC"


def test_a_span_keeps_its_utc_edges_in_zones_with_odd_offsets() -> None:
    assert span_text.times(HALF_HOUR, KATHMANDU) == "16:15 to 16:45"
    assert span_text.with_utc(HALF_HOUR, KATHMANDU) == "16:15 to 16:45 UTC+5:45 · 10:30 to 11:00 UTC"


def test_viewers_in_utc_see_utc_once() -> None:
    assert span_text.with_utc(HALF_HOUR, clock_of("UTC")) == "10:30 to 11:00 UTC"
