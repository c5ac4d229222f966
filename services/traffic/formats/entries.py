"""What a reader of any format makes of a recording's lines."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from services.traffic.formats.lines import LONGEST_LINE_BYTES, Line
from shared.events.refusals import Reason, Refusal


class UnusableRecording(Exception):  # noqa: N818 - a property of the file, shown to the user
    """The recording as a whole cannot be read with these options; the message says what to change."""


class SkipReason(StrEnum):
    """Why a readable entry is left out on purpose, in the words of the summary."""

    NOT_GET = "not GET"  # of an access log: another method, or no HTTP request at all
    FAILED = "status 400 or above"  # or none, because the client went away
    ASSET = "asset"  # an image, a style sheet, …
    AUTOMATIC = "automatic event"  # of GA4: it records more than a page or an action of the visitor


class Skip(NamedTuple):
    """An entry that is readable and left out on purpose: the reason, and what it was about, such as `POST /cart`."""

    reason: SkipReason
    about: str


class Entry(NamedTuple):
    """An entry of a recording: a line, in CSV a row, in an access log a request.

    `line` is its first line, numbered from 1; `raw` is what the line holds of it, without the line end. `part` counts
    the entries of one line from 0. `document` is the JSON object to send, a refusal, a skip, or None for a blank line.
    """

    line: int
    raw: bytes
    document: bytes | Refusal | Skip | None
    part: int = 0


TOO_LONG = Refusal(Reason.TOO_LARGE, f"more than {LONGEST_LINE_BYTES} bytes")


def read_line_by_line(lines: Iterable[Line], read: Callable[[bytes], bytes | Refusal | Skip]) -> Iterator[Entry]:
    """The entries of a format with one entry per line. `read` gets the stripped line."""
    for number, raw in lines:
        line = raw.strip()
        if not line:
            yield Entry(number, raw, None)
        elif len(raw) > LONGEST_LINE_BYTES:
            yield Entry(number, raw, TOO_LONG)
        else:
            yield Entry(number, raw, read(line))
