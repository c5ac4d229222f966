"""Bounds on a log line, so that no event, error or library fills the log. Pure."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

LONGEST_LINE: Final = 32_768
"""Characters of a line, and of a traceback with its line."""
LONGEST_VALUE: Final = 2_000
"""Characters of one value of a line."""
_MOST_ITEMS: Final = 100
_DEEPEST: Final = 4


def bounded(value: Any, depth: int = 0) -> Any:
    """`value` with long texts and collections cut."""
    match value:
        case None | bool() | int() | float():
            return value if not isinstance(value, int) or abs(value) < 10**30 else "a huge number"
        case str():
            return cut(value, LONGEST_VALUE)
        case Mapping() if depth < _DEEPEST:
            return {cut(str(name), 200): bounded(own, depth + 1) for name, own in islice(value.items(), _MOST_ITEMS)}
        case list() | tuple() if depth < _DEEPEST:
            return [bounded(own, depth + 1) for own in value[:_MOST_ITEMS]]
        case _:
            return cut(str(value), LONGEST_VALUE)


def cut(text: str, longest: int) -> str:
    """`text`, with a note in place of what is beyond `longest` characters."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def shortest(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What to keep of a line that is too long as a whole: where it is from, and its beginning."""
    for name in ("time", "level", "service", "logger", "message", "event"):
        if name in line:
            yield name, line[name]
    if "exception" in line:
        yield "exception", line["exception"][:1]
    yield "cut", "the line was too long"
