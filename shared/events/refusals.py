"""Why an event is refused, and the dead letter that keeps it: its bytes untouched, its origin in the headers. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from shared.events.schema import MAX_EVENT_BYTES

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the event asked for. `explain` names the reason."""

_DEAD_LETTERS: Final = "-dlq"
_TYPE_ERROR: Final = re.compile(r"Expected `([^`]+)`, got `(\w+)` - at `\$\.(\w+)`")
_JSON_NAMES: Final = {  # of msgspec's and of Python's types
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "NoneType": "null",
    "array": "a list",
    "list": "a list",
    "object": "an object",
}


class Reason(StrEnum):
    """The closed list of reasons. `docs/redis.md` and the `reason` header of dead letters use these words."""

    TOO_LARGE = "too_large"  # more bytes than MAX_EVENT_BYTES
    TOO_LONG = "too_long"  # an id has more bytes than its limit
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"  # JSON, but a list, a text, a number or null
    MISSING_FIELD = "missing_field"  # a required field is absent, null or empty
    WRONG_TYPE = "wrong_type"  # a field's type differs from the schema's
    BAD_TIMESTAMP = "bad_timestamp"  # not an instant from 1970 to 9999
    FUTURE = "future"  # more than 60 s ahead of its arrival in the log
    REFUSED_BY_LOG = "refused_by_log"  # the log never takes what a service made of it, such as a too large record
    REFUSED_BY_DATABASE = "refused_by_database"  # history only: PostgreSQL does not store the event's row
    UNREADABLE_LINE = "unreadable_line"  # `clickpulse replay` only: not a row of its CSV or a line of an access log


class Refusal(msgspec.Struct, frozen=True):
    """A refused event: the reason, and a sentence for the reader of the dead letter."""

    reason: Reason
    error: str


class Origin(msgspec.Struct, frozen=True):
    """Where a refused event came from: the service that refused it and the record's place in the log."""

    service: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int


def too_large(value: bytes) -> Refusal:
    """The refusal of a value that exceeds MAX_EVENT_BYTES."""
    return Refusal(Reason.TOO_LARGE, f"{len(value)} bytes, more than {MAX_EVENT_BYTES}")


def explain(value: bytes, error: Exception) -> Refusal:
    """The refusal of a value whose decoding raised one of UNDECODABLE. Off the hot path: decodes it again."""
    try:
        value.decode()
    except UnicodeDecodeError as not_utf8:
        return Refusal(Reason.NOT_UTF8, str(not_utf8))
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as not_json:
        return Refusal(Reason.NOT_JSON, str(not_json))
    if not isinstance(document, dict):
        return Refusal(Reason.NOT_AN_OBJECT, f"expected a JSON object, got {_JSON_NAMES[type(document).__name__]}")
    for required in ("timestamp", "userId"):
        if document.get(required) is None:
            return Refusal(Reason.MISSING_FIELD, f"{required} is required")
    return Refusal(Reason.WRONG_TYPE, _explained_type(str(error)))


def _explained_type(error: str) -> str:
    """msgspec's message in the words of JSON: `ip: expected text or null, got a number`."""
    found = _TYPE_ERROR.fullmatch(error)
    if found is None:
        return error
    accepted = dict.fromkeys(_JSON_NAMES.get(name, name) for name in found[1].split(" | "))
    return f"{found[3]}: expected {' or '.join(accepted)}, got {_JSON_NAMES.get(found[2], found[2])}"


def dead_letter_topic(topic: str) -> str:
    """The topic that keeps the dead letters of `topic`."""
    return topic + _DEAD_LETTERS


def is_dead_letter_topic(topic: str) -> bool:
    """Whether this is the topic of another one's dead letters."""
    return topic.endswith(_DEAD_LETTERS)


def dead_letter_headers(refusal: Refusal, origin: Origin) -> tuple[tuple[str, bytes], ...]:
    """The headers of a dead letter. `dead_letter` in `shared.events.dead_letters` makes all of it."""
    return (
        ("reason", refusal.reason.value.encode()),
        ("error", refusal.error.encode("utf-8", "backslashreplace")),
        ("service", origin.service.encode()),
        ("topic", origin.topic.encode()),
        ("partition", str(origin.partition).encode()),
        ("offset", str(origin.offset).encode()),
        ("timestamp", str(origin.timestamp_ms).encode()),
    )


def read_dead_letter_headers(headers: Iterable[tuple[str, bytes]]) -> tuple[str, str, Origin]:
    """The reason, the error and the origin in a dead letter's headers; an absent or invalid one is empty, or -1.

    Returns the reason as text, because newer versions may write other reasons.
    """
    found = {name: value.decode("utf-8", "replace") for name, value in headers}
    origin = Origin(
        service=found.get("service", ""),
        topic=found.get("topic", ""),
        partition=_number(found.get("partition", "")),
        offset=_number(found.get("offset", "")),
        timestamp_ms=_number(found.get("timestamp", "")),
    )
    return found.get("reason", ""), found.get("error", ""), origin


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
