"""Instants in the viewer's time zone, with UTC in the tooltip. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from services.dashboard.kit.wording import UNKNOWN
from shared.events.time_units import MINUTE_MS


@dataclass(frozen=True, slots=True)
class Clock:
    """Formats times of one zone. Instants are epoch ms; anything else becomes `–`."""

    zone: tzinfo

    def time(self, timestamp_ms: object) -> str:
        """`10:31:02`."""
        return _formatted(timestamp_ms, self.zone, "%H:%M:%S")

    def named_time(self, timestamp_ms: object) -> str:
        """`10:31:02 CET`, for a time without a zone in its context."""
        text = self.time(timestamp_ms)
        return text if text == UNKNOWN else f"{text} {self.name(timestamp_ms)}"

    def day(self, timestamp_ms: object) -> str:
        """`22 Nov 2026`."""
        return _formatted(timestamp_ms, self.zone, "%d %b %Y").lstrip("0")

    def full_time(self, timestamp_ms: object) -> str:
        """`2026-11-22 10:31:02.123`."""
        text = _formatted(timestamp_ms, self.zone, "%Y-%m-%d %H:%M:%S.%f")
        return text if text == UNKNOWN else text[:-3]

    def in_html(self, timestamp_ms: object, text: str) -> str:
        """`text`, formatted by this clock, as an element with the UTC instant in its tooltip."""
        if text == UNKNOWN:
            return text
        utc = UTC_CLOCK.full_time(timestamp_ms)
        return f'<time datetime="{utc.replace(" ", "T")}Z" title="{utc} UTC">{text}</time>'

    def name(self, timestamp_ms: object) -> str:
        """The zone's name at an instant: `UTC`, `CET`, or `UTC+5:45` when it has no abbreviation."""
        name = _formatted(timestamp_ms, self.zone, "%Z")
        if name == UNKNOWN or name.isalpha():
            return name
        minutes = self.offset_ms(timestamp_ms) // MINUTE_MS
        hours, rest = divmod(abs(minutes), 60)
        return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")

    def offset_ms(self, timestamp_ms: object) -> int:
        """The zone's offset from UTC at an instant; 0 for anything else."""
        moment = _moment(timestamp_ms, self.zone)
        offset = moment.utcoffset() if moment else None
        return round(offset.total_seconds() * 1000) if offset else 0


UTC_CLOCK: Final = Clock(UTC)


@lru_cache(maxsize=1024)
def clock_of(zone: str | None) -> Clock:
    """The clock of a zone by the browser's name for it (`Europe/Berlin`); UTC for an unknown name."""
    try:
        # The name is untrusted: ZoneInfo rejects anything but a plain relative path.
        return Clock(ZoneInfo(zone)) if zone and len(zone) <= _LONGEST_NAME and zone != "UTC" else UTC_CLOCK
    except (KeyError, ValueError, OSError):
        return UTC_CLOCK


_LONGEST_NAME: Final = 64


def _formatted(timestamp_ms: object, zone: tzinfo, form: str) -> str:
    # Checked before the cache, which cannot tell True from 1.
    is_number = isinstance(timestamp_ms, int | float) and not isinstance(timestamp_ms, bool)
    return _written(timestamp_ms, zone, form) if is_number else UNKNOWN


@lru_cache(maxsize=4096)  # most instants were on the page a second ago; formatting one takes 5 µs
def _written(timestamp_ms: object, zone: tzinfo, form: str) -> str:
    moment = _moment(timestamp_ms, zone)
    return moment.strftime(form) if moment else UNKNOWN


def _moment(timestamp_ms: object, zone: tzinfo) -> datetime | None:
    if not isinstance(timestamp_ms, int | float) or isinstance(timestamp_ms, bool):
        return None
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, zone)
    except (ValueError, OverflowError, OSError):
        return None
