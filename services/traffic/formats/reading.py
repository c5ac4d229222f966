"""Detects a recording's format and picks its reader."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Final

import msgspec

from services.traffic.formats.access_log import is_log_line, read_access_log
from services.traffic.formats.delimited import REQUIRED, read_delimited
from services.traffic.formats.entries import Entry, UnusableRecording
from services.traffic.formats.lines import ByteStream, Line, read_lines
from services.traffic.formats.ndjson import read_ndjson


class Format(StrEnum):
    """Replayable formats, by their command-line names."""

    NDJSON = "ndjson"
    CSV = "csv"
    TSV = "tsv"
    ACCESS_LOG = "access-log"


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
_BY_DELIMITER: Final = ((",", Format.CSV), ("\t", Format.TSV))
_CHOICES: Final = ", ".join(Format)

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_entries(
    stream: ByteStream, name: str, chosen: Format | None, names: Mapping[str, str]
) -> tuple[Format, Iterator[Entry]]:
    """The entries of a stream in the chosen format, or else the one detected from its first lines or name.

    Blocks until a line proves the format, for 20 lines at most. Raises UnusableRecording when the format cannot be
    detected or does not fit.
    """
    lines = read_lines(stream)
    seen, proven = ([], chosen) if chosen else _first_lines(lines, names)
    texts = [line.raw.strip() for line in seen if line.raw.strip()]
    detected = proven or (likely_format(texts[0], name) if texts else Format.NDJSON)
    if detected is None:
        raise UnusableRecording(
            f"cannot detect the format from the first {len(texts)} lines; choose one with --format {_CHOICES}"
        )
    if names and detected is Format.ACCESS_LOG:
        raise UnusableRecording("--map needs named fields, which an access log does not have")
    every = chain(seen, lines)
    match detected:
        case Format.NDJSON:
            return detected, read_ndjson(every, names)
        case Format.CSV:
            return detected, read_delimited(every, ",", names)
        case Format.TSV:
            return detected, read_delimited(every, "\t", names)
        case Format.ACCESS_LOG:
            return detected, read_access_log(every)


def detect_format(lines: Sequence[bytes], name: str, names: Mapping[str, str]) -> Format | None:
    """The format that one of the first lines proves, or else the likely one."""
    proven = (proven_format(line.strip(), names) for line in lines)
    return next((found for found in proven if found), None) or (likely_format(lines[0], name) if lines else None)


def proven_format(line: bytes, names: Mapping[str, str]) -> Format | None:
    """The format that this line alone proves: a request, a click, or a header with our fields or the mapped ones."""
    if is_log_line(line):
        return Format.ACCESS_LOG
    ours = {*REQUIRED, *names}
    if line.startswith(b"{"):
        try:
            return Format.NDJSON if ours & _decode_object(line).keys() else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
    text = line.decode("utf-8", "replace")
    for delimiter, found in _BY_DELIMITER:
        if delimiter in text and ours & {cell.strip(' "') for cell in text.split(delimiter)}:
            return found
    return None


def likely_format(first_line: bytes, name: str) -> Format | None:
    """The format by the first line's look and the file's name, where no line proves one."""
    if first_line.startswith(b"{"):
        return Format.NDJSON
    if first_line.startswith(b"["):
        raise UnusableRecording("the file is a JSON array; convert it to one object per line with `jq -c '.[]'`")
    for suffix in reversed(PurePath(name.lower()).suffixes):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    return next((found for delimiter, found in reversed(_BY_DELIMITER) if delimiter.encode() in first_line), None)


def _first_lines(lines: Iterator[Line], names: Mapping[str, str]) -> tuple[list[Line], Format | None]:
    """The lines that were read until one proved the format, and that format."""
    seen: list[Line] = []
    texts = 0
    for line in lines:
        seen.append(line)
        text = line.raw.strip()
        texts += bool(text)
        if text and (proven := proven_format(text, names)):
            return seen, proven
        if texts == _LINES_OF_DETECTION or len(seen) == _MOST_BLANK_LINES:
            break
    return seen, None
