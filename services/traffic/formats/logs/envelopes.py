"""What container runtimes and log shippers wrap around a line: JSON, behind a prefix or not. Pure.

{"log":"192.0.2.1 - - [10/Oct/2026:13:55:36 +0200] …\\n","stream":"stdout","time":"2026-10-10T11:55:36Z"}
2026-10-10T11:55:36.123456789Z stdout F {"level":"info","msg":"handled request", …}
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_DEEPEST: Final = 3
_LINE_FIELDS: Final = (
    "log",
    "message",
    "MESSAGE",
    "msg",
    "short_message",
    "line",
    "@message",
    "_raw",
    "body",
    "event",
    "textPayload",
)
"""The line, in Docker and fluentd, Filebeat, journald, others, Loki, …"""
_OBJECT_FIELDS: Final = (*_LINE_FIELDS, "_source", "result", "log_processed", "json", "jsonPayload", "parsed")
_BROKEN_ESCAPE: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")

_CSV_CELL: Final = re.compile(r'(?:^|[,;\t])"([^"]*+(?:""[^"]*+)++)"(?=$|[,;\t])')

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def object_in(line: str) -> Mapping[str, Any] | None:
    """The JSON object that a line ends with; None without one."""
    start = line.find("{")
    if start < 0 or not line.rstrip().endswith("}"):
        return None
    text = line[start:]
    for attempt in (text, _BROKEN_ESCAPE.sub(r"\\u00\1", text)):  # nginx's default escapes are no JSON
        try:
            return _decode(attempt)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
    return None


def without_cell(line: str) -> str:
    """The line in a cell of a CSV, with its quotes doubled, as log searches export it; else the text as it is."""
    found = _CSV_CELL.search(line) if '""' in line else None
    return found[1].replace('""', '"') if found else line


def objects_in(line: str) -> Iterator[Mapping[str, Any]]:
    """The JSON object that a line ends with, and those it wraps, the outermost first."""
    return _objects(object_in(line), _DEEPEST)


def wrapped_lines(line: str) -> Iterator[str]:
    """The lines of text that this line wraps: in a JSON object, or with escaped quotes."""
    objects = list(objects_in(line))
    if not objects and r"\"" in line:
        yield line.replace(r"\"", '"')
    for fields in objects:
        for name in _LINE_FIELDS:
            if isinstance(text := fields.get(name), str):
                yield from text.splitlines()


def _objects(fields: Mapping[str, Any] | None, deepest: int) -> Iterator[Mapping[str, Any]]:
    if fields is None or deepest == 0:
        return
    yield fields
    for name in _OBJECT_FIELDS:
        inner = fields.get(name)
        if isinstance(inner, dict):
            yield from _objects(inner, deepest - 1)
        elif isinstance(inner, str):
            yield from _objects(object_in(inner), deepest - 1)
