"""Spans of minutes as text in the viewer's zone, with UTC in tooltips. Pure.

Spans are aligned to UTC: the hour to 10:00 UTC is the hour to 15:45 in Kathmandu.
"""

from services.dashboard.explore.counting.selection import Span
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from shared.events.time_units import MINUTE_MS


def minute(number: int, clock: Clock) -> str:
    """`10:30`: the start of a minute."""
    return clock.time(number * MINUTE_MS)[:5]


def zone(span: Span, clock: Clock) -> str:
    """The name of the zone at the end of the span."""
    return clock.name(span.end_minute * MINUTE_MS)


def times(span: Span, clock: Clock) -> str:
    """`10:30`, or `10:30 to 10:35` for more than a minute."""
    if span.minutes == 1:
        return minute(span.first_minute, clock)
    return f"{minute(span.first_minute, clock)} to {minute(span.end_minute, clock)}"


def with_zone(span: Span, clock: Clock) -> str:
    """`10:30 to 10:35 CET`."""
    return f"{times(span, clock)} {zone(span, clock)}"


def with_utc(span: Span, clock: Clock) -> str:
    """`11:30 CET · 10:30 UTC`, for hover texts; once for a viewer in UTC."""
    return with_zone(span, clock) if clock == UTC_CLOCK else f"{with_zone(span, clock)} · {with_zone(span, UTC_CLOCK)}"
