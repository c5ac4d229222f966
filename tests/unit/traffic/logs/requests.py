"""Reads single lines of logs."""

from typing import Any

import msgspec

from services.traffic.formats.entries import Skip
from services.traffic.formats.lines import Line
from services.traffic.formats.logs.reading import Parse, read_log
from shared.events.refusals import Refusal


def documents(raw: bytes, parse: Parse, *, takes_all: bool = True) -> list[bytes | Refusal | Skip | None]:
    return [entry.document for entry in read_log([Line(1, raw)], parse, takes_all=takes_all)]


def event_of(raw: bytes, parse: Parse) -> dict[str, Any]:
    """The only event of a line."""
    (document,) = documents(raw, parse)
    assert isinstance(document, bytes), document
    event: dict[str, Any] = msgspec.json.decode(document)
    return event


def refusal_of(raw: bytes, parse: Parse) -> Refusal:
    """The only refusal of a line."""
    (document,) = documents(raw, parse)
    assert isinstance(document, Refusal), document
    return document
