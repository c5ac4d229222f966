"""Windows and buckets of long windows in words, in the viewer's zone. Pure."""

from datetime import datetime, timedelta

from services.dashboard.explore.long_windows.answers import Said, ms
from services.dashboard.explore.long_windows.choices import WINDOWS, Bucket, Interval, LongChoices
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock


def window(choices: LongChoices, said: Said, clock: Clock) -> str:
    """`Last 7 days, to 28 Nov 11:00 CET`, or `22 Nov to 28 Nov 2026, CET` for days that the viewer chose."""
    start, end = said.window.start, said.window.end
    if choices.bucket is not None:
        return zoomed(choices.bucket, clock)
    if choices.days is not None:
        first, last = choices.days.first, choices.days.last
        text = f"{first:%d %b} to {last:%d %b %Y}" if first != last else f"{last:%d %b %Y}"
        return f"{text}, {clock.name(ms(start))}"
    if choices.interval in ("day", "month"):
        text = f"from {_local(start, clock):%d %b %Y}, {clock.name(ms(end))}"
    else:
        text = f"to {_local(end, clock):%d %b %H:%M} {clock.name(ms(end))}"
    return f"Last {WINDOWS[choices.window]}, {text}"


def zoomed(own: Bucket, clock: Clock) -> str:
    """`Mon 23 Nov 10:00 to 11:00 CET`, `Mon 23 Nov 2026, CET` or `November 2026, CET`."""
    text = of_bucket(own, clock)
    return text if own.interval == "hour" else f"{text}, {clock.name(ms(own.start))}"


def of_bucket(own: Bucket, clock: Clock) -> str:
    """`Mon 23 Nov 10:00 to 11:00 CET`, `Mon 23 Nov 2026` or `November 2026`."""
    return bucket(own.start, own.end, own.interval, clock)


def short(choices: LongChoices, clock: Clock) -> str:
    """`last 7 days`, for what has the rest in its tooltip."""
    days = choices.days
    if choices.bucket is not None:
        return of_bucket(choices.bucket, clock)
    return f"last {WINDOWS[choices.window]}" if days is None else f"{days.first:%d %b} to {days.last:%d %b %Y}"


def bucket_start(start: datetime, interval: Interval, clock: Clock) -> str:
    """`Mon 23 Nov 10:00`, `Mon 23 Nov` or `Nov 2026`."""
    form = {"month": "%b %Y", "day": "%a %d %b"}.get(interval, "%a %d %b %H:%M")
    return _local(start, clock).strftime(form)


def bucket(start: datetime, end: datetime, interval: Interval, clock: Clock) -> str:
    """`Mon 23 Nov 10:00 to 11:00 CET`, `Mon 23 Nov 2026` or `November 2026`."""
    local = _local(start, clock)
    if interval == "month":
        return f"{local:%B %Y}"
    if interval == "day":
        hours = round((end - start) / timedelta(hours=1))
        return f"{local:%a %d %b %Y}" + (f" ({hours} hours)" if hours in (23, 25) else "")
    return f"{local:%a %d %b %H:%M} to {_local(end, clock):%H:%M} {clock.name(ms(start))}"


def with_utc(start: datetime, end: datetime, interval: Interval, clock: Clock) -> str:
    """The same, with UTC beside minutes and hours, for hover texts."""
    text = bucket(start, end, interval, clock)
    if clock == UTC_CLOCK or interval in ("day", "month"):
        return text
    return f"{text} · {_local(start, UTC_CLOCK):%H:%M} UTC"


def on_axis(start: datetime, interval: Interval, clock: Clock, *, is_one_day: bool) -> str:
    """A bucket's start next to an axis: `10:00`, `23 Nov` or `Nov 2026`."""
    local = _local(start, clock)
    if interval == "month":
        return f"{local:%b %Y}"
    return f"{local:%H:%M}" if is_one_day else f"{local.day} {local:%b}"


def is_midnight(start: datetime, clock: Clock) -> bool:
    """Whether a bucket is the first of a day; one of an hour may begin at half past midnight."""
    return _local(start, clock).hour == 0


def minute_of_day(start: datetime, clock: Clock) -> int:
    """The minutes since midnight of a bucket's start."""
    local = _local(start, clock)
    return 60 * local.hour + local.minute


def _local(moment: datetime, clock: Clock) -> datetime:
    return moment.astimezone(clock.zone)
