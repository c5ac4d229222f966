"""Bodies: unpacked within a limit, and read as JSON. Pure."""

import zlib
from typing import Any, Final

import msgspec

from services.collect.clicks import JsonNumber
from services.collect.request import Rejected
from shared.events.collected import Refused
from shared.events.refusals import Reason

_WINDOW_BITS: Final = 47  # zlib tells gzip and zlib apart

_decode: Final = msgspec.json.Decoder(float_hook=JsonNumber).decode


def unpacked(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body without its Content-Encoding. Raises Rejected."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise Rejected(415, Refused.UNPACKED, f"Content-Encoding: expected gzip or deflate, got {encoding!r:.40}")
    inflate = zlib.decompressobj(_WINDOW_BITS)
    try:
        plain = inflate.decompress(body, most_bytes + 1)
        if not inflate.eof and len(plain) <= most_bytes:
            plain += inflate.flush()
    except zlib.error:
        raise Rejected(400, Refused.UNPACKED, f"the body is not {encoding}") from None
    if len(plain) > most_bytes:
        raise too_large(most_bytes)
    if not inflate.eof:
        raise Rejected(400, Refused.UNPACKED, f"the {encoding} body ends too early")
    return plain


def too_large(most_bytes: int) -> Rejected:
    """The refusal of a body over the limit, before or after unpacking."""
    return Rejected(413, Reason.TOO_LARGE, f"the body has more than {most_bytes} bytes")


def read_json(body: bytes) -> Any:
    """The document, with some numbers as JsonNumber. Raises Rejected."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(body, error) from None


def read_events(body: bytes, most: int) -> list[Any]:
    """The events of an object, an array, or a line each (NDJSON). Raises Rejected when there are too many or none."""
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        document = _lines(body, error, most)
    events = document if isinstance(document, list) else [document]
    if not events:
        raise Rejected(400, Reason.MISSING_FIELD, "no event")
    check_number(len(events), most)
    return events


def check_number(events: int, most: int) -> None:
    """Raises Rejected for a request with more events than allowed."""
    if events > most:
        raise Rejected(413, Refused.TOO_MANY, f"{events} events in a request, more than {most}")


def _lines(body: bytes, error: Exception, most: int) -> list[Any]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) < 2:
        raise _not_json(body, error)
    check_number(len(lines), most)
    try:
        return [_decode(line) for line in lines]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as line_error:
        raise _not_json(body, line_error) from None


def _not_json(body: bytes, error: Exception) -> Rejected:
    if isinstance(error, RecursionError):
        return Rejected(400, Refused.TOO_DEEP, "lists or objects are nested too deep")
    try:
        body.decode()
    except UnicodeDecodeError as not_utf8:
        return Rejected(400, Reason.NOT_UTF8, str(not_utf8))
    return Rejected(400, Reason.NOT_JSON, f"{error}")
