"""Timestamps: what producers may write, and the labels of minutes and half hours. Pure; time is always an argument."""

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from shared.events.time_units import DAY_SECONDS, MINUTE_MS

FUTURE_TOLERANCE_MS: Final = MINUTE_MS
"""An event up to this far ahead of its arrival waits for its second; one further ahead is a dead letter."""

LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant that datetime can show
# The magnitude shows the unit of a count since 1970: between 1973 and 5138 the ranges of s, ms, µs and ns are disjoint.
_LONGEST_NUMBER: Final = 30  # digits; longer text is not a timestamp, and int() is quadratic
_SECONDS_BELOW: Final = 10**11
_MILLISECONDS_BELOW: Final = 10**14
_MICROSECONDS_BELOW: Final = 10**17
_LONGEST_TEXT: Final = 64  # characters; a longer text is no timestamp
# What databases and Java write after an ISO time: "UTC", or the zone's name behind its offset.
_ZONE: Final = re.compile(r" ?(?:(UTC|GMT|Z)|([+-]\d\d(?::?\d\d)?)(?:\[[\w/+-]+\])?|\[[\w/+-]+\])$", re.ASCII)

ACCEPTED: Final = "epoch s, ms, µs or ns, or ISO 8601 such as 2026-11-22T10:30:00Z, from 1970 to 9999"
"""What `parse_timestamp_ms` takes, for messages."""

EPOCH_MS: Final = range(_SECONDS_BELOW, _MILLISECONDS_BELOW)
"""The integers that `parse_timestamp_ms` returns unchanged."""


def parse_timestamp_ms(value: float | str) -> int | None:
    """Return epoch milliseconds, or None if `value` is not an instant from 1970 to 9999.

    A number may count seconds, ms, µs or ns and is recognised by its magnitude; text is ISO 8601 (naive text is UTC),
    also in small letters or with "UTC" behind it, or such a number in decimal digits. Truncates to whole milliseconds.
    """
    if isinstance(value, str):
        return _from_text(value.strip())
    return _from_number(value)


def _from_text(text: str) -> int | None:
    # Eight digits are a basic ISO date (20261122): counts of seconds since 1973 have nine or more.
    if text.isascii() and text.replace(".", "", 1).isdigit() and 8 != len(text) <= _LONGEST_NUMBER:
        return _from_number(float(text) if "." in text else int(text))
    moment = _from_iso(text)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        since_epoch = moment - datetime.fromtimestamp(0, UTC)
    except OverflowError:
        return None
    return _in_range((since_epoch.days * DAY_SECONDS + since_epoch.seconds) * 1000 + since_epoch.microseconds // 1000)


def _from_iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        if len(text) > _LONGEST_TEXT:
            return None
    plain = _ZONE.sub(lambda zone: zone[2] or ("Z" if zone[1] else ""), text.upper())
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        return None


def _from_number(number: float) -> int | None:
    if isinstance(number, float):
        if not math.isfinite(number) or number < 0:
            return None
        if number < _SECONDS_BELOW:
            # Round to whole µs first, because 1393858173.123 is slightly less in binary.
            return _in_range(round(number * 1_000_000) // 1000)
        number = int(number)
    if number < 0:
        return None
    if number < _SECONDS_BELOW:
        return _in_range(number * 1000)
    if number < _MILLISECONDS_BELOW:
        return _in_range(number)
    if number < _MICROSECONDS_BELOW:
        return _in_range(number // 1000)
    return _in_range(number // 1_000_000)


def _in_range(timestamp_ms: int) -> int | None:
    return timestamp_ms if 0 <= timestamp_ms <= LATEST_MS else None


@lru_cache(maxsize=4096)  # a publish writes hundreds of labels, nearly all the same as a second before
def iso_second(timestamp_ms: int) -> str:
    """The instant as ISO 8601 in UTC to the second: `2026-11-22T10:30:00Z`. A minute is labelled by its start."""
    return datetime.fromtimestamp(timestamp_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def parse_iso_second(label: str) -> int:
    """The epoch ms of a label that `iso_second` wrote. Raises ValueError for anything else."""
    return int(datetime.strptime(label, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()) * 1000
