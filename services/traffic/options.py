"""Kinds of values on the command line, each with a message that names a right one."""

import math
import re
from argparse import ArgumentTypeError
from typing import Final

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def speed(text: str) -> float:
    """`1`, `60`, any positive number, or `max` (infinity)."""
    if text == "max":
        return math.inf
    return _positive(text, "a number above 0 as 1 or 60, or max")


def rate(text: str) -> float:
    """Events a second, above 0."""
    return _positive(text, "a number of events a second above 0, as 5 or 0.5")


def count(text: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1, as 1000")
    return int(text)


def whole(text: str) -> int:
    """A whole number, negative or not."""
    if not re.fullmatch(r"-?[0-9]{1,15}", text):
        raise ArgumentTypeError(f"{text!r} is not a whole number, as 7")
    return int(text)


def duration_ms(text: str) -> int:
    """A time span in ms: `90s`, `15m`, `2h`, `1d`, or seconds without a unit; `0` is none."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a duration as 90s, 15m, 2h or 1d")
    return round(float(found[1]) * _UNIT_SECONDS[found[2] or "s"] * 1000)


def renaming(text: str) -> tuple[str, str]:
    """`theirs=ours`."""
    theirs, equals, ours = text.rpartition("=")
    if not (theirs and equals and ours):
        raise ArgumentTypeError(f"{text!r} is not THEIRS=OURS, as visitor_id=userId")
    return theirs, ours


def _positive(text: str, right: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"{text!r} is not {right}")
    return number
