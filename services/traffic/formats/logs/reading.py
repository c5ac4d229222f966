"""The entries of a server log: each request is a click, a skip or a refusal. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from services.traffic.formats.entries import TOO_LONG, Entry
from services.traffic.formats.lines import LONGEST_LINE_BYTES, Line
from services.traffic.formats.logs.envelopes import objects_in, without_cell, wrapped_lines
from services.traffic.formats.logs.requests import Request, click_of
from shared.events.refusals import Reason, Refusal

Parse = Callable[[str], tuple[Request | Refusal | None, str] | None]
"""Returns the first request of a line, None for a comment, and the rest of the line where another request follows; None
for a line of another kind."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")  # of `docker compose logs`
_MARK: Final = "\ufeff"  # also within a line: RFC 5424 has one before the message
_SEPARATOR: Final = re.compile(rb"\0+")
"""NUL bytes fill a log file that was truncated while a server wrote to it."""


def of_text(parse: Callable[[str], Request | Refusal | None]) -> Parse:
    """The parser for a format with one request a line, written by a server or wrapped by a log shipper."""

    def parse_line(line: str) -> tuple[Request | Refusal | None, str] | None:
        found = parse(line)
        return (found, "") if found is not None else None

    return parse_line


def of_objects(parse: Callable[[Mapping[str, Any]], Request | Refusal | None]) -> Parse:
    """The parser for a format of JSON objects."""

    def parse_line(line: str) -> tuple[Request | Refusal | None, str] | None:
        found = next((found for fields in objects_in(line) if (found := parse(fields)) is not None), None)
        return (found, "") if found is not None else None

    return parse_line


def read_log(lines: Iterable[Line], parse: Parse, *, takes_all: bool) -> Iterator[Entry]:
    """The entries of a log. A line may hold several; with `takes_all` none is skipped."""
    for number, raw in lines:
        if len(raw) > LONGEST_LINE_BYTES:
            yield Entry(number, raw, TOO_LONG)
            continue
        found = [
            one
            for piece in (_SEPARATOR.split(raw) if b"\0" in raw else (raw,))
            for one in requests_in(piece.decode("utf-8", "replace").replace(_MARK, "").strip(" \t"), parse)
        ]
        if not found:
            yield Entry(number, raw, None)
        for part, (text, request) in enumerate(found):
            document = click_of(request, takes_all=takes_all) if isinstance(request, Request) else request
            yield Entry(number, raw if len(found) == 1 else text.encode(), document, part)


def is_request(line: str, parse: Parse) -> bool:
    """Whether the line holds a request of this format, also one that would be skipped or has no valid time."""
    line = without_cell(line)
    parsed = parse(line)
    return parsed is not None or any(parse(text.strip()) for text in wrapped_lines(line))


def requests_in(line: str, parse: Parse) -> Iterator[tuple[str, Request | Refusal | None]]:
    """The requests of a line, each with its text; None for a comment. Text of another kind is a refusal."""
    line = without_cell(_COLOUR.sub("", line) if "\x1b" in line else line)
    while line:
        parsed = parse(line)
        if parsed is None:
            yield from _wrapped(line, parse)
            return
        found, rest = parsed
        yield line.removesuffix(rest) if rest else line, found
        line = rest.strip()


def _wrapped(line: str, parse: Parse) -> Iterator[tuple[str, Request | Refusal | None]]:
    parsed = [(text, found[0]) for text in wrapped_lines(line) if (found := parse(text.strip()))]
    yield from parsed or [(line, Refusal(Reason.UNREADABLE_LINE, f"not a line of this log's format: {line:.80}"))]
