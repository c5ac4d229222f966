"""The time of a request, as servers write it. Pure."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from shared.events.timestamps import parse_timestamp_ms

_TIME: Final = re.compile(
    r"(?P<minute>[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}[: ][0-9]{2}:[0-9]{2}):(?P<second>[0-5][0-9])"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))? *(?P<zone>[+-][0-9]{2}:?[0-9]{2}|Z|UTC|GMT|)"
)
_MINUTE: Final = re.compile(r"([0-9]{1,2})/([A-Za-z]{3})/([0-9]{4})[: ]([0-9]{2}):([0-9]{2})")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_log_time_ms(text: str) -> int | None:
    """Epoch ms of `10/Oct/2026:13:55:36 +0200`, with or without a fraction, or of any timestamp that events may have.

    A time without a zone is UTC. None for anything else.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return parse_timestamp_ms(text)
    minute_ms = _parse_minute_ms(found["minute"], found["zone"])
    if minute_ms is None:
        return None
    milliseconds = int(found["fraction"][:3].ljust(3, "0")) if found["fraction"] else 0
    return minute_ms + int(found["second"]) * 1000 + milliseconds


@lru_cache(maxsize=4096)
def _parse_minute_ms(minute: str, zone: str) -> int | None:
    """Epoch ms of `10/Oct/2026:13:55` and `+0200`. Cached, because the requests of one minute are adjacent."""
    found = _MINUTE.fullmatch(minute)
    month = _MONTHS.get(found[2].lower()) if found else None
    if found is None or month is None:
        return None
    east = timedelta(0)
    if zone[:1] in ("+", "-"):
        east = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(int(found[3]), month, int(found[1]), int(found[4]), int(found[5]), tzinfo=timezone(east))
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * 1000
