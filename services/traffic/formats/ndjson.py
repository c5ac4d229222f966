"""NDJSON: one JSON object per line, sent unchanged, or with our fields read from theirs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

import msgspec

from services.traffic.formats.entries import Entry, UnusableRecording, read_line_by_line
from services.traffic.formats.json_paths import ABSENT, paths, value_at
from services.traffic.formats.lines import Line
from services.traffic.formats.sales import without_others_sales
from services.traffic.formats.visitors import NO_USER_ID, address_in, tells_visitors_apart, visitor_of
from shared.events.refusals import Refusal

_LINES_BEFORE_REFUSAL: Final = 20
_LINES_BEFORE_REFUSAL_OF_A_FILE: Final = 100_000
_LISTED_PATHS: Final = 40
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_decode_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_values: Final = msgspec.json.Decoder(dict[str, object]).decode
_encode: Final = msgspec.json.Encoder().encode

Fields = dict[str, object]
"""The fields of an object; those at the top are msgspec.Raw, so that they stay byte for byte."""


class _Visitor(msgspec.Struct):
    """What a visitor is known by."""

    userId: str | int | float | None = None
    ip: str | None = None
    userAgent: str | None = None


_decode_visitor: Final = msgspec.json.Decoder(_Visitor).decode


def read_ndjson(
    lines: Iterable[Line],
    names: Mapping[str, str],
    notes: Counter[str],
    *,
    sales: frozenset[str] = frozenset(),
    is_checked: bool = False,
) -> Iterator[Entry]:
    """Objects with our fields read from the paths in `names` (ours → theirs), otherwise unchanged byte for byte.

    Of an `ip` with a port or in a list, the client's address is left. An object without a user id gets that of its
    address and user agent, which `notes` counts. Only events of the types `sales` keep their money, if there are any.
    Unless the paths have been checked, blocks until each was seen. Raises UnusableRecording when one is not in the
    first 20 lines.
    """
    if names and not is_checked:
        first: list[Line] = []
        refuse_unknown_paths(_kept(lines := iter(lines), first), names, _LINES_BEFORE_REFUSAL)
        lines = chain(first, lines)

    def read(line: bytes) -> bytes | Refusal:
        return _with_visitor(_renamed(line, names, sales) if names or sales else line, notes)

    return read_line_by_line(lines, read)


def refuse_unknown_paths(
    lines: Iterable[Line], names: Mapping[str, str], most_lines: int = _LINES_BEFORE_REFUSAL_OF_A_FILE
) -> None:
    """Read until every path was seen, `most_lines` at most. Raises UnusableRecording when one was not."""
    unseen = dict(names)
    found: dict[str, None] = {}
    read = 0
    for line in lines:
        try:
            fields = _decode_values(line.raw)
        except _UNDECODABLE:
            fields = {}
        unseen = {ours: theirs for ours, theirs in unseen.items() if value_at(fields, theirs) is ABSENT}
        if not unseen:
            return
        if len(found) < _LISTED_PATHS:
            found.update(dict.fromkeys(paths(fields) if fields else ()))
        read += 1
        if read == most_lines:
            break
    if not found:
        return  # without objects, each line is refused for itself
    ours, theirs = next(iter(unseen.items()))
    where = f"the first {read:,} lines" if read == most_lines else "the recording"
    raise UnusableRecording(f"--map {theirs}={ours}: not in {where}, which has {_listed(found)}")


def _listed(found: Iterable[str]) -> str:
    names = list(found)
    return ", ".join(names[:_LISTED_PATHS]) + (", …" if len(names) > _LISTED_PATHS else "")


def _kept(lines: Iterable[Line], kept: list[Line]) -> Iterator[Line]:
    for line in lines:
        kept.append(line)
        yield line


def _renamed(line: bytes, names: Mapping[str, str], sales: frozenset[str]) -> bytes:
    try:
        fields: Fields = dict(_decode_object(line))
        values = {ours: value_at(fields, theirs) for ours, theirs in names.items()}
    except _UNDECODABLE:
        return line
    for theirs in names.values():
        # What is read from inside an object is all that is wanted of it: headers hold cookies and passwords.
        fields.pop(theirs if theirs in fields else theirs.split(".", 1)[0], None)
    fields |= {ours: value for ours, value in values.items() if value is not ABSENT}
    without_others_sales(fields, sales)
    return _encode(fields)


def _with_visitor(document: bytes, notes: Counter[str]) -> bytes:
    try:
        visitor = _decode_visitor(document)
        if not visitor.ip:
            return document
        address = address_in(visitor.ip)
        has_id = visitor.userId not in (None, "")  # 0 is one
        if address == visitor.ip and (has_id or not tells_visitors_apart(address)):
            return document
        fields: Fields = dict(_decode_object(document))
    except _UNDECODABLE:
        return document  # decoding the document later gives the reason
    fields["ip"] = address
    if not has_id and tells_visitors_apart(address):
        fields["userId"] = visitor_of(address, visitor.userAgent)
        notes[NO_USER_ID] += 1
    return _encode(fields)
