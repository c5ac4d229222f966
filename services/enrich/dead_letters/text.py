"""Dead letters as text that is safe in a terminal: control characters are escaped. Pure."""

import re
from typing import Final

from services.enrich.dead_letters.topic import DeadLetter
from shared.events.time_units import DAY_MS, HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second, parse_timestamp_ms

_PREVIEW_CHARACTERS: Final = 80
_UNITS_MS: Final = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


def one_line(letter: DeadLetter) -> str:
    """Its time, place, reason, error and first bytes."""
    return "  ".join(
        (
            iso_second(letter.record.timestamp_ms),
            letter.place,
            printable(letter.reason) or "no reason",
            _cut(printable(letter.error)),
            _cut(printable(letter.record.value[: 4 * _PREVIEW_CHARACTERS])),
        )
    )


def described(letter: DeadLetter) -> str:
    """Everything known about it, one fact per line, and its bytes."""
    record, origin = letter.record, letter.origin
    arrived_ms = origin.timestamp_ms
    facts = {
        "place": letter.place,
        "refused": iso_second(record.timestamp_ms),
        "reason": printable(letter.reason),
        "error": printable(letter.error),
        "service": printable(origin.service),
        "origin": f"{printable(origin.topic)} partition {origin.partition} offset {origin.offset}",
        "arrived": iso_second(arrived_ms) if arrived_ms >= 0 else "",
        "key": printable(record.key) if record.key is not None else "(none)",
        "bytes": f"{len(record.value):,}",
    }
    if letter.original is not None:
        size, digest = letter.original
        facts["bytes"] += f", the first of {size:,}"
        facts["sha256"] = printable(digest)
    return "\n".join([*(f"{name + ':':9} {value}" for name, value in facts.items()), "", printable(record.value)])


def printable(text: str | bytes) -> str:
    """The text, with backslash escapes for bytes that are not UTF-8 and for characters that do not print.

    Those include terminal control and writing direction.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def parse_since(text: str, now_ms: int) -> int | None:
    """The epoch ms of an ISO 8601 instant, a number, or an age such as `90m`, `24h` or `7d`; None for other text."""
    ago = re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)
    if ago:
        return max(now_ms - int(ago[1]) * _UNITS_MS[ago[2]], 0)
    return parse_timestamp_ms(text)


def _cut(text: str) -> str:
    return text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "…"
