"""Types of command-line values; each error names a valid example."""

import math
import re
from argparse import ArgumentTypeError
from typing import Final

from shared.events.time_units import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS

_UNIT_SECONDS: Final = {"s": 1, "m": MINUTE_SECONDS, "h": HOUR_SECONDS, "d": DAY_SECONDS}


def speed(text: str) -> float:
    """`1`, `60`, any positive number, or `max` (infinity)."""
    if text == "max":
        return math.inf
    return _positive(text, "a number above 0, such as 1 or 60, or max")


def rate(text: str) -> float:
    """Events per second, above 0."""
    return _positive(text, "events per second above 0, such as 5 or 0.5")


def count(text: str) -> int:
    """A whole number, at least 1."""
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) == 0:
        raise ArgumentTypeError(f"expected a whole number of at least 1, such as 1000, got {text!r}")
    return int(text)


def whole(text: str) -> int:
    """A whole number, possibly negative."""
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise ArgumentTypeError(f"expected a whole number, such as 7, got {text!r}")
    return int(text)


def duration_ms(text: str) -> int:
    """A duration in ms: `90s`, `15m`, `2h`, `1d`, or seconds without a unit; may be 0."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)", text)
    if found is None:
        raise ArgumentTypeError(f"expected a duration such as 90s, 15m, 2h or 1d, got {text!r}")
    return round(float(found[1]) * _UNIT_SECONDS[found[2] or "s"] * 1000)


def renaming(text: str) -> tuple[str, str]:
    """`theirs=ours`."""
    theirs, equals, ours = text.rpartition("=")
    if not (theirs and equals and ours):
        raise ArgumentTypeError(f"expected THEIRS=OURS, such as visitor_id=userId, got {text!r}")
    return theirs, ours


def _positive(text: str, expected: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"expected {expected}, got {text!r}")
    return number
