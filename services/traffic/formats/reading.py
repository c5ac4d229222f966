"""Which format a recording has, and its reader."""

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
    """The formats that can be replayed, by their name on the command line."""

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
    """The entries of a stream in its chosen format, else in the one that its first line or its name tells.

    Blocks for the first line. Raises UnusableRecording when the format cannot be told or does not fit.
    """
    lines = read_lines(stream)
    seen: list[Line] = []
    for line in lines:
        seen.append(line)
        if line.raw.strip() or len(seen) == 1000:
            break
    first = seen[-1].raw.strip() if seen else b""
    told = chosen or (detect_format(first, name) if first else Format.NDJSON)
    if told is None:
        raise UnusableRecording(f"the first line does not tell the format; say it with --format {_CHOICES}")
    if names and told is Format.ACCESS_LOG:
        raise UnusableRecording("--map is for formats that name their fields; an access log has none")
    every = chain(seen, lines)
    match told:
        case Format.NDJSON:
            return told, read_ndjson(every, names)
        case Format.CSV:
            return told, read_delimited(every, ",", names)
        case Format.TSV:
            return told, read_delimited(every, "\t", names)
        case Format.ACCESS_LOG:
            return told, read_access_log(every)


def detect_format(first_line: bytes, name: str) -> Format | None:
    """The format by the first line that is not blank, and by the file's name where the line is not clear."""
    if first_line.startswith(b"{"):
        return Format.NDJSON
    if first_line.startswith(b"["):
        raise UnusableRecording("a JSON array; make it one object a line, as `jq -c '.[]'` does")
    if is_log_line(first_line):
        return Format.ACCESS_LOG
    for suffix in reversed(PurePath(name.lower()).suffixes):
        if suffix in _BY_SUFFIX:
            return _BY_SUFFIX[suffix]
    if b"\t" in first_line:
        return Format.TSV
    return Format.CSV if b"," in first_line else None
