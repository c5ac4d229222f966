"""What a reader of any format makes of a recording's lines."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from services.traffic.formats.lines import LONGEST_LINE_BYTES, Line
from shared.events.refusals import Reason, Refusal


class UnusableRecording(Exception):  # noqa: N818 - a property of the file, shown to the user
    """The recording as a whole cannot be read with these options; the message says what to change."""


class Entry(NamedTuple):
    """A line (in CSV: a row) of a recording, numbered from 1 by its first line; `raw` excludes the line end.

    `document` is the JSON object to send, a refusal, or None for a blank line.
    """

    line: int
    raw: bytes
    document: bytes | Refusal | None


TOO_LONG = Refusal(Reason.TOO_LARGE, f"more than {LONGEST_LINE_BYTES} bytes")


def read_line_by_line(lines: Iterable[Line], read: Callable[[bytes], bytes | Refusal]) -> Iterator[Entry]:
    """The entries of a format with one entry per line. `read` gets the stripped line."""
    for number, raw in lines:
        line = raw.strip()
        if not line:
            yield Entry(number, raw, None)
        elif len(raw) > LONGEST_LINE_BYTES:
            yield Entry(number, raw, TOO_LONG)
        else:
            yield Entry(number, raw, read(line))
