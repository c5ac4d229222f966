"""Detects a recording's format and picks its reader."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Final

from services.traffic.formats.access_log import is_log_line, read_access_log
from services.traffic.formats.delimited import read_delimited
from services.traffic.formats.entries import Entry, UnusableRecording
from services.traffic.formats.lines import ByteStream, Line, read_lines
from services.traffic.formats.ndjson import read_ndjson


class Format(StrEnum):
    """Replayable formats, by their command-line names."""

    NDJSON = "ndjson"
    CSV = "csv"
    TSV = "tsv"
    ACCESS_LOG = "access-log"


_BY_SUFFIX: Final = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".log": Format.ACCESS_LOG,
}
_CHOICES: Final = ", ".join(Format)


def read_entries(
    stream: ByteStream, name: str, chosen: Format | None, names: Mapping[str, str]
) -> tuple[Format, Iterator[Entry]]:
    """The entries of a stream in the chosen format, or else the one detected from its first line or name.

    Blocks for the first line. Raises UnusableRecording when the format cannot be detected or does not fit.
    """
    lines = read_lines(stream)
    seen: list[Line] = []
    for line in lines:
        seen.append(line)
        if line.raw.strip() or len(seen) == 1000:
            break
    first = seen[-1].raw.strip() if seen else b""
    detected = chosen or (detect_format(first, name) if first else Format.NDJSON)
    if detected is None:
        raise UnusableRecording(f"cannot detect the format from the first line; choose one with --format {_CHOICES}")
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


def detect_format(first_line: bytes, name: str) -> Format | None:
    """The format of the first non-blank line, or of the file's name when the line is ambiguous."""
    if first_line.startswith(b"{"):
        return Format.NDJSON
    if first_line.startswith(b"["):
        raise UnusableRecording("the file is a JSON array; convert it to one object per line with `jq -c '.[]'`")
    if is_log_line(first_line):
        return Format.ACCESS_LOG
    for suffix in reversed(PurePath(name.lower()).suffixes):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    if b"\t" in first_line:
        return Format.TSV
    return Format.CSV if b"," in first_line else None
