"""Stretches of minutes as the viewer reads them: in the viewer's own zone, with UTC at hand. Pure.

What a stretch holds is a matter of UTC alone: an hour that ends at 10:00 UTC is one to 15:45 for a viewer in Kathmandu.
"""

from services.dashboard.explore.selection import Span
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from shared.events.time_units import MINUTE_MS


def minute(number: int, clock: Clock) -> str:
    """`10:30`: the start of a minute."""
    return clock.time(number * MINUTE_MS)[:5]


def zone(span: Span, clock: Clock) -> str:
    """What the zone is called where the span ends."""
    return clock.name(span.end_minute * MINUTE_MS)


def told(span: Span, clock: Clock) -> str:
    """`10:30`, or `10:30 to 10:35` of more than a minute."""
    if span.minutes == 1:
        return minute(span.first_minute, clock)
    return f"{minute(span.first_minute, clock)} to {minute(span.end_minute, clock)}"


def named(span: Span, clock: Clock) -> str:
    """`10:30 to 10:35 CET`: a stretch that stands alone says its zone."""
    return f"{told(span, clock)} {zone(span, clock)}"


def with_utc(span: Span, clock: Clock) -> str:
    """`11:30 CET · 10:30 UTC`, for whoever points at something; UTC once to whoever lives by it."""
    return named(span, clock) if clock == UTC_CLOCK else f"{named(span, clock)} · {named(span, UTC_CLOCK)}"
