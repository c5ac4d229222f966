"""Values inside JSON objects by path: `request.headers.User-Agent.0`. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

_INDEX_DIGITS: Final = 6
_LISTED_ITEMS: Final = 1  # of an array: the others look like the first
_LISTED_DEPTH: Final = 6

ABSENT: Final = msgspec.UNSET

_Step = dict[str, msgspec.Raw] | list[msgspec.Raw] | str | int | float | bool | None
_decode: Final = msgspec.json.Decoder(_Step).decode


def value_at(document: object, path: str) -> object:
    """The value that the path leads to, ABSENT where there is none. Raw values are decoded only on the way.

    A step is a key of an object, or an index of an array from 0. A key may hold dots itself: the longest that leads to
    a value is taken. Raises msgspec.DecodeError for a raw value that is no JSON.
    """
    if isinstance(document, msgspec.Raw):
        document = _decode(document)
    if isinstance(document, Mapping):
        return _in_object(document, path)
    return _in_array(document, path) if isinstance(document, list) else ABSENT


def paths(document: object, before: str = "", depth: int = _LISTED_DEPTH) -> Iterator[str]:
    """The paths to all plain values, in order; of an array only to those of its first item, and none too deep."""
    steps: Iterator[tuple[str, object]]
    if isinstance(document, Mapping) and depth:
        steps = ((str(key), value) for key, value in document.items())
    elif isinstance(document, list) and depth:
        steps = ((str(index), value) for index, value in enumerate(document[:_LISTED_ITEMS]))
    else:
        yield before
        return
    for step, value in steps:
        yield from paths(value, f"{before}.{step}" if before else step, depth - 1)


def _in_object(document: Mapping[str, object], path: str) -> object:
    if path in document:
        return document[path]
    end = path.rfind(".")
    while end > 0:
        if path[:end] in document and (found := value_at(document[path[:end]], path[end + 1 :])) is not ABSENT:
            return found
        end = path.rfind(".", 0, end)
    return ABSENT


def _in_array(items: Sequence[object], path: str) -> object:
    step, _, rest = path.partition(".")
    if not (step.isascii() and step.isdigit() and len(step) <= _INDEX_DIGITS and int(step) < len(items)):
        return ABSENT
    item = items[int(step)]
    return value_at(item, rest) if rest else item
