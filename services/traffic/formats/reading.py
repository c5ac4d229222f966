"""Detects a recording's format and picks its reader."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import PurePath
from typing import Final, NamedTuple

import msgspec

from services.traffic.formats.choices import OFFERED, Choices, Format
from services.traffic.formats.delimited import read_delimited, whole_number_columns
from services.traffic.formats.entries import Entry, UnusableRecording
from services.traffic.formats.ga4 import GA4_NAMES, read_ga4
from services.traffic.formats.lines import ByteStream, Line, read_lines
from services.traffic.formats.logs.apache_format import apache_parser
from services.traffic.formats.logs.combined import has_log_time
from services.traffic.formats.logs.reading import of_text, read_log
from services.traffic.formats.logs.table import LOG_FORMATS, proven_log_format
from services.traffic.formats.ndjson import read_ndjson, refuse_unknown_paths

_LINES_OF_DETECTION: Final = 20
"""Without blank ones. A container's log starts with messages of its start, a log file with the end of a line."""
_MOST_BLANK_LINES: Final = 1000
_BY_SUFFIX: Final = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".log": Format.ACCESS_LOG,
}
_BY_DELIMITER: Final = ((",", Format.CSV), (";", Format.CSV), ("|", Format.CSV), ("\t", Format.TSV))
_DELIMITERS: Final = {Format.CSV: None, Format.TSV: "\t"}  # None: the header shows it
_TELLING_NAMES: Final = frozenset(("timestamp", "userId"))
_CHOICES: Final = ", ".join(OFFERED)

_ONE_OBJECT_A_LINE: Final = (Format.NDJSON, Format.GA4)
_ARRAY: Final = re.compile(rb"\[\s*(?:[\[{]|$)")
_PROSE: Final = re.compile(r": |\[")  # of a server's messages, in which no name of a column is found
_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Survey(NamedTuple):
    """What a first pass over a recording found out: the columns of a CSV that `whole_number_columns` returns."""

    floats: frozenset[int]


def survey(stream: ByteStream, name: str, choices: Choices) -> Survey:
    """Look through a recording, as far as its format needs.

    Raises UnusableRecording when the format cannot be detected or does not fit, or when `choices` names what it lacks.
    """
    found, lines, proof = _open(stream, name, choices)
    if found in _DELIMITERS:
        with _pointing_to(proof):
            return Survey(whole_number_columns(lines, _DELIMITERS[found], choices))
    if found is Format.NDJSON and choices.names:
        refuse_unknown_paths(lines, choices.names)
    return Survey(frozenset())


def read_entries(
    stream: ByteStream, name: str, choices: Choices, notes: Counter[str], surveyed: Survey | None = None
) -> tuple[Format, Iterator[Entry]]:
    """The entries of a stream in the chosen format, or else the one detected from its first lines or name.

    `notes` counts what the reader changed, by description. Blocks until a line proves the format, for 20 lines at most.
    Raises UnusableRecording when the format cannot be detected or does not fit.
    """
    found, lines, proof = _open(stream, name, choices)
    match found:
        case Format.NDJSON:
            return found, read_ndjson(lines, choices.names, notes, sales=choices.sales, is_checked=surveyed is not None)
        case Format.CSV | Format.TSV:
            floats = surveyed.floats if surveyed else None
            with _pointing_to(proof):
                return found, read_delimited(lines, _DELIMITERS[found], choices, notes, floats)
        case Format.GA4:
            return found, read_ga4(lines, takes_all=choices.takes_all)
        case _:
            described = choices.log_format
            parse = LOG_FORMATS[found]() if described is None else of_text(apache_parser(described))
            return found, read_log(lines, parse, takes_all=choices.takes_all)


@contextmanager
def _pointing_to(proof: int) -> Iterator[None]:
    """Name the line that looks like the header, where the first one is none."""
    try:
        yield
    except UnusableRecording as error:
        if proof < 2:
            raise
        raise UnusableRecording(
            f"{error}. Line {proof} looks like the header: tail -n +{proof} FILE | clickpulse replay -"
        ) from None


def _open(stream: ByteStream, name: str, choices: Choices) -> tuple[Format, Iterator[Line], int]:
    """The format, all lines, and the number of the line that proved the format, 0 without one."""
    lines = read_lines(stream)
    chosen = Format.ACCESS_LOG if choices.log_format else choices.format
    seen, proven = ([], chosen) if chosen else _first_lines(lines, _known_names(choices))
    if proven in _ONE_OBJECT_A_LINE and not seen:
        seen = list(islice(lines, 2))
    texts = [line.raw.strip() for line in seen if line.raw.strip()]
    if proven in (None, *_ONE_OBJECT_A_LINE):
        _refuse_json_document(texts)
    found = proven or (likely_format(texts, name) if texts else Format.NDJSON)
    if found is None:
        raise UnusableRecording(
            f"cannot detect the format from the first {len(texts)} lines; choose one with --format {_CHOICES}"
        )
    if (choices.names or choices.sales) and not found.has_columns:
        option = "--map" if choices.names else "--sales"
        raise UnusableRecording(f"{option} works with ndjson, csv and tsv; the fields of {found} are fixed")
    return found, chain(seen, lines), seen[-1].number if seen and proven and not chosen else 0


def _refuse_json_document(lines: Sequence[bytes]) -> None:
    """Raise UnusableRecording for a JSON array, or an object over several lines: their lines are not JSON."""
    if lines and _ARRAY.match(lines[0]):
        raise UnusableRecording("the file is a JSON array; convert it to one object per line with `jq -c '.[]'`")
    if lines and lines[0] == b"{" and lines[1:2] and lines[1].startswith(b'"'):
        raise UnusableRecording("its JSON objects span several lines; convert it to one per line with `jq -c .`")


def detect_format(lines: Sequence[bytes], name: str, choices: Choices) -> Format | None:
    """The format that one of the first lines proves, or else the likely one."""
    known = _known_names(choices)
    proven = (proven_format(line.strip(), known) for line in lines)
    return next((found for found in proven if found), None) or (likely_format(lines, name) if lines else None)


def _known_names(choices: Choices) -> AbstractSet[str]:
    """The names of columns and JSON fields that only a recording of clicks has."""
    theirs = choices.names.values()
    return {*_TELLING_NAMES, *theirs, *(path.split(".", 1)[0] for path in theirs)}


def proven_format(line: bytes, known: AbstractSet[str]) -> Format | None:
    """The format that this line alone proves: a request, a click, or a header with a known name."""
    text = line.decode("utf-8", "replace").strip("\0 ")
    # Names from the command line are those of a JSON log, too.
    if (found_log := proven_log_format(text)) and not (known > _TELLING_NAMES and line.startswith(b"{")):
        return Format(found_log)
    if line.startswith(b"{"):
        try:
            keys = _decode_object(line).keys()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if known & keys:
            return Format.NDJSON
        return Format.GA4 if keys >= GA4_NAMES else None
    for delimiter, found in _BY_DELIMITER:
        if delimiter in text and known & {cell.strip(' "') for cell in text.split(delimiter)}:
            return found
    return None


def likely_format(lines: Sequence[bytes], name: str) -> Format | None:
    """The format by the look of the first lines and the file's name, where no line proves one."""
    first_line = lines[0]
    if first_line.startswith(b"{"):
        return Format.NDJSON
    for suffix in reversed(PurePath(name.lower()).suffixes):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    if has_log_time(first_line.decode("utf-8", "replace")):
        return Format.ACCESS_LOG  # its lines are refused one by one, with their reason
    return next((found for delimiter, found in reversed(_BY_DELIMITER) if _is_table(lines, delimiter)), None)


def _is_table(lines: Sequence[bytes], delimiter: str) -> bool:
    """Whether the delimiter separates as many cells in each line, as it does not in messages."""
    texts = [line.decode("utf-8", "replace") for line in lines]
    try:
        rows = list(csv.reader(texts, delimiter=delimiter))
    except csv.Error:
        return False
    widths = {len(row) for row in rows}
    return not any(_PROSE.search(cell) for cell in rows[0]) and len(widths) == 1 and widths != {1}


def _first_lines(lines: Iterator[Line], known: AbstractSet[str]) -> tuple[list[Line], Format | None]:
    """The lines that were read until one proved the format, and that format."""
    seen: list[Line] = []
    texts = 0
    for line in lines:
        seen.append(line)
        text = line.raw.strip()
        texts += bool(text)
        if text and (proven := proven_format(text, known)):
            return seen, proven
        if texts == _LINES_OF_DETECTION or len(seen) == _MOST_BLANK_LINES:
            break
    return seen, None
