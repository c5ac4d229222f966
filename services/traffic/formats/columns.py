"""The header of a CSV: what separates its cells, and which column each of our fields is read from. Pure."""

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from services.traffic.formats.entries import UnusableRecording
from services.traffic.formats.presets import preset_with_columns
from shared.events.schema import RawEvent

FIELDS: Final = RawEvent.__struct_fields__
REQUIRED: Final = frozenset({"timestamp", "userId"})
DELIMITERS: Final = ",;|\t"
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?')
"""How Excel announces the separator in a line before the header."""
_WORDS: Final = {",": ",", ";": ";", "|": "|", "\t": "tab"}


class Columns(NamedTuple):
    """The names in the header, and for each of our fields the place of its column."""

    header: tuple[str, ...]
    fields: Mapping[str, int]


def announced_delimiter(line: str) -> str | None:
    """The delimiter of a line such as `sep=;`; None for any other line."""
    found = _SEPARATOR_LINE.fullmatch(line)
    return found[1] if found else None


def delimiter_of(header: str, names: Mapping[str, str]) -> str:
    """The delimiter between the columns of a header line: the one that gives most names we know, then most columns."""

    def merit(delimiter: str) -> tuple[int, int]:
        try:
            cells = {cell.strip() for cell in next(csv.reader([header], delimiter=delimiter))}
        except (csv.Error, StopIteration):
            return (0, 0)
        return (len(cells & {*FIELDS, *names.values()}), len(cells))

    return max(DELIMITERS, key=merit)


def columns_of(header: Sequence[str], names: Mapping[str, str]) -> Columns:
    """Where each field is, by its own name or as `names` says (ours → theirs); a renamed column loses its own.

    Raises UnusableRecording when a column is absent that `names` or every event needs.
    """
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    for ours, theirs in names.items():
        if theirs not in places:
            raise UnusableRecording(f"no column {theirs} to read {ours} from: {_columns_are(header)}")
    renamed = set(names.values())
    fields = {name: places[name] for name in FIELDS if name in places and name not in renamed}
    fields |= {ours: places[theirs] for ours, theirs in names.items()}
    preset = preset_with_columns(header)
    if preset is not None and not fields.keys() >= REQUIRED:
        raise UnusableRecording(f"these are the columns of a known layout; use --preset {preset}")
    if "timestamp" not in fields:
        raise UnusableRecording(f"no column timestamp: {_columns_are(header)}; name it with --map NAME=timestamp")
    if "userId" not in fields and "ip" not in fields:
        raise UnusableRecording(
            f"no column userId: {_columns_are(header)}; name it with --map NAME=userId, or else the column of the "
            "address with --map NAME=ip"
        )
    return Columns(tuple(header), fields)


def _columns_are(header: Sequence[str]) -> str:
    if len(header) == 1:
        separators = ", ".join(_WORDS[delimiter] for delimiter in DELIMITERS)
        return f"the only column is {header[0]:.200} (columns are separated by one of {separators})"
    return f"the columns are {', '.join(header)}"
