"""NDJSON: one JSON object per line, sent unchanged."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from services.traffic.formats.entries import Entry, read_line_by_line
from services.traffic.formats.lines import Line
from shared.events.refusals import Refusal

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def read_ndjson(lines: Iterable[Line], names: Mapping[str, str]) -> Iterator[Entry]:
    """Objects with fields renamed by `names` (theirs → ours), otherwise unchanged byte for byte."""

    def renamed(line: bytes) -> bytes | Refusal:
        try:
            fields = _decode_fields(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return line  # decoding the document later gives the reason
        mapped = {ours: fields.pop(theirs) for theirs, ours in names.items() if theirs in fields}
        return _encode({**fields, **mapped})

    return read_line_by_line(lines, renamed if names else _unchanged)


def _unchanged(line: bytes) -> bytes | Refusal:
    return line
