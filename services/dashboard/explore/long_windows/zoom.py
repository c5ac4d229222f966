"""The month, day or hour of a window that a viewer zooms to, as text of the address. Pure.

Months and days are those of the viewer's calendar, hours those of UTC.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from services.dashboard.explore.choices import read_minute
from services.dashboard.explore.long_windows.answers import ms
from services.dashboard.explore.long_windows.choices import (
    FIRST_DAY,
    INTERVALS,
    LAST_DAY,
    Bucket,
    Interval,
    LongChoices,
)
from services.dashboard.kit.time_zones import Clock
from shared.events.time_units import HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second

FINER: Final[Mapping[Interval, Interval]] = {"month": "day", "day": "hour", "hour": "minute"}
"""What a bucket is shown by when the viewer zooms to it. A minute has nothing finer."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
_HOUR: Final = timedelta(hours=1)


def zoom_text(start: datetime, interval: Interval, clock: Clock) -> str:
    """`2026-11`, `2026-11-27` or `2026-11-27T10:00:00Z`; empty for a minute."""
    if interval == "hour":
        return iso_second(ms(start) // HOUR_MS * HOUR_MS)  # the first of a day may be half of one
    form = {"month": "%Y-%m", "day": "%Y-%m-%d"}.get(interval, "")
    return start.astimezone(clock.zone).strftime(form)


def read_zoom(text: object, clock: Clock) -> Bucket | None:
    """The bucket of its text; None for anything else, as what a browser sends is untrusted."""
    if not isinstance(text, str):
        return None
    if _MONTH.fullmatch(text):
        return _calendar("month", f"{text}-01", clock)
    if _DAY.fullmatch(text):
        return _calendar("day", text, clock)
    minute = read_minute(text)
    if minute is None or minute % 60 or iso_second(minute * MINUTE_MS) != text:
        return None
    start = datetime.fromtimestamp(minute * MINUTE_MS // 1000, UTC)
    return Bucket("hour", start, start + _HOUR)


def zoomed(choices: LongChoices, bucket: Bucket) -> LongChoices:
    """The same choices for the bucket alone, by what it consists of."""
    return replace(choices, bucket=bucket, interval=FINER[bucket.interval])


def path(choices: LongChoices, bucket: Bucket, clock: Clock) -> Sequence[Bucket]:
    """What leads from the window to the bucket, and the bucket: the month and the day of an hour, say."""
    levels = list(INTERVALS)[::-1]  # the longest first
    above = levels[levels.index(choices.interval) : levels.index(bucket.interval)]
    texts = [zoom_text(bucket.start, interval, clock) for interval in above]
    found = [read_zoom(text, clock) for text in texts]
    return [*(own for own in found if own is not None), bucket]


def _calendar(interval: Interval, text: str, clock: Clock) -> Bucket | None:
    try:
        first = date.fromisoformat(text)
    except ValueError:
        return None
    if not FIRST_DAY <= first <= LAST_DAY:
        return None
    last = (first + timedelta(days=31)).replace(day=1) if interval == "month" else first + timedelta(days=1)
    start, end = (datetime.combine(day, time(), clock.zone).astimezone(UTC) for day in (first, last))
    return Bucket(interval, start, end) if start < end else None  # a zone may leave a day out
