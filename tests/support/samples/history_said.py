"""Answers of history's API, as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.dashboard.explore.long_windows.answers import Said

START = datetime(2026, 11, 21, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def series(counts: Sequence[int | None], *, start: datetime = START, step: timedelta = HOUR) -> list[dict[str, Any]]:
    """A row of views for each bucket."""
    return [
        {"from": iso(start + place * step), "to": iso(start + (place + 1) * step), "views": count}
        for place, count in enumerate(counts)
    ]


def document(rows: Sequence[dict[str, Any]], *, end: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """An answer for a window from START until `end`, an hour after by default."""
    said = {
        "as_of": iso(end or START + HOUR),
        "since": iso(START),
        "window": {"from": iso(START), "to": iso(end or START + HOUR), "timezone": "UTC"},
        "source": {},
        "notes": [],
        "rows": list(rows),
    }
    return {**said, **changes}


def said(rows: Sequence[dict[str, Any]], **changes: Any) -> Said:
    """The same, as the dashboard reads it."""
    return msgspec.convert(document(rows, **changes), Said)


def earlier(rows: Sequence[dict[str, Any]], start: datetime = START) -> dict[str, Any]:
    """The part of the window to compare with."""
    return {
        "with": "previous", "window": {"from": iso(start), "to": iso(start + HOUR)}, "source": {}, "notes": [],
        "rows": list(rows),
    }  # fmt: skip
