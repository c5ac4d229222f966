"""How much a field of an event may hold: one table of limits, for raw and enriched events alike. Pure.

An identity that is too long is refused, because a shortened one would be another identity. Text that is only shown or
counted is shortened, and ends with MARKER. A number out of its range is unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from shared.events.hosts import LONGEST_HOST
from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import LATEST_MS

MARKER: Final = "…"
OLDEST_YEARS: Final = 150
"""A higher age is a mistake, so it counts as unknown."""
MOST_PIECES: Final = 10**9
"""A greater quantity is a mistake, so it counts as unknown."""

_MARKER_BYTES: Final = len(MARKER.encode())
_LONGEST_CHARACTER: Final = 4  # bytes of UTF-8
_KNOWN_WORD_BYTES: Final = 128  # for fields that we fill with a word from a closed list, a date or an address

Event = TypeVar("Event", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a site can set, in bytes of UTF-8."""

    id_bytes: int = 256
    type_bytes: int = 64
    user_agent_bytes: int = 1024
    url_bytes: int = 2048
    title_bytes: int = 512

    @property
    def event_bytes(self) -> int:
        """No event needs more bytes than this, unless it is written with escapes or white space."""
        return _NAMES_AND_NUMBERS_BYTES + sum(row.bytes(self) for row in FIELD_LIMITS.values() if isinstance(row, Text))


class Text(NamedTuple):
    """A text field: the name of its limit in `Limits`, or a fixed number of bytes."""

    limit: str | int
    is_identity: bool = False
    is_required: bool = False

    def bytes(self, limits: Limits) -> int:
        """The limit in bytes."""
        most: int = self.limit if isinstance(self.limit, int) else getattr(limits, self.limit)
        return most


class Number(NamedTuple):
    """A numeric field and its range, inclusive."""

    least: int
    most: int


FIELD_LIMITS: Final[Mapping[str, Text | Number]] = {
    "timestamp": Number(0, LATEST_MS),
    "original_timestamp": Number(0, LATEST_MS),
    "userId": Text("id_bytes", is_identity=True, is_required=True),
    "productId": Text("id_bytes", is_identity=True),
    "eventId": Text("id_bytes", is_identity=True),
    "eventType": Text("type_bytes"),
    "userAgent": Text("user_agent_bytes"),
    "url": Text("url_bytes"),
    "referrer": Text("url_bytes"),
    "category": Text("title_bytes"),
    "title": Text("title_bytes"),
    "age": Number(0, OLDEST_YEARS),
    "profileAge": Number(0, OLDEST_YEARS),
    "ip": Text(_KNOWN_WORD_BYTES),
    "gender": Text(_KNOWN_WORD_BYTES),
    "profileGender": Text(_KNOWN_WORD_BYTES),
    "country": Text(_KNOWN_WORD_BYTES),
    "deviceType": Text(_KNOWN_WORD_BYTES),
    "browser": Text(_KNOWN_WORD_BYTES),
    "operatingSystem": Text(_KNOWN_WORD_BYTES),
    "birthdate": Text(_KNOWN_WORD_BYTES),
    "value": Text(_KNOWN_WORD_BYTES),
    "currency": Text(_KNOWN_WORD_BYTES),
    "quantity": Number(0, MOST_PIECES),
    "orderId": Text("id_bytes", is_identity=True),
    "cost": Text(_KNOWN_WORD_BYTES),
    "platform": Text("type_bytes"),
    "site": Text(LONGEST_HOST),
}
"""Every field of an event has a row. The timestamp's range is checked where events are decoded."""

_NAMES_AND_NUMBERS_BYTES: Final = 1024


def fits(text: str, most_bytes: int) -> bool:
    """Whether the text is at most `most_bytes` bytes of UTF-8."""
    if len(text) * _LONGEST_CHARACTER <= most_bytes:
        return True
    return len(text) <= most_bytes and (text.isascii() or len(text.encode()) <= most_bytes)


def shortened(text: str, most_bytes: int) -> str:
    """The text, or as many of its first characters as fit before a MARKER. `most_bytes` has space for the marker."""
    if fits(text, most_bytes):
        return text
    kept = text[:most_bytes].encode()[: most_bytes - _MARKER_BYTES]
    return kept.decode("utf-8", "ignore") + MARKER


def fitting(event_type: type[Event], limits: Limits) -> Callable[[Event], Event | Refusal]:
    """A function that returns an event within the limits: the event itself, or a shortened one; or its refusal."""
    names = [name for name in event_type.__struct_fields__ if name != "timestamp"]
    texts = [
        (name, row.bytes(limits), row.is_identity) for name in names if isinstance(row := FIELD_LIMITS[name], Text)
    ]
    numbers = [(name, row) for name in names if isinstance(row := FIELD_LIMITS[name], Number)]
    # Nearly every event has only short fields, which one expression finds out in a few hundred nanoseconds.
    suspicions = [f"len(event.{name} or '') > {most // _LONGEST_CHARACTER}" for name, most, _ in texts]
    suspicions += [f"not {row.least} <= (event.{name} or 0) <= {row.most}" for name, row in numbers]
    is_suspicious = eval(f"lambda event: {' or '.join(suspicions)}")  # noqa: S307 - our own text

    def fit(event: Event) -> Event | Refusal:
        if not is_suspicious(event):
            return event
        changes: dict[str, Any] = {}
        for name, most, is_identity in texts:
            text = getattr(event, name)
            if isinstance(text, str) and not fits(text, most):
                if is_identity:
                    return too_long(name, text, most)
                changes[name] = shortened(text, most)
        for name, row in numbers:
            number = getattr(event, name)
            if number is not None and number is not msgspec.UNSET and not row.least <= number <= row.most:
                changes[name] = None
        return msgspec.structs.replace(event, **changes) if changes else event

    return fit


def too_long(name: str, text: str, most_bytes: int) -> Refusal:
    """The refusal of an event for the identity in this field."""
    return Refusal(Reason.TOO_LONG, f"{name} has {len(text.encode())} bytes, more than {most_bytes}")


def within(name: str, annotation: Any, limits: Limits, *, is_ascii: bool) -> Any:
    """The type of a field whose decoding fails when its value exceeds the limit; `kept` of an event in plain ASCII.

    Decoders count characters. Where they may take several bytes, a fourth of the limit is allowed: what then fails to
    decode may still fit.
    """
    row = FIELD_LIMITS[name]
    if isinstance(row, Number):
        return _annotated(annotation, int, Meta(ge=row.least, le=row.most))
    longest = row.bytes(limits) if is_ascii else row.bytes(limits) // _LONGEST_CHARACTER
    return _annotated(annotation, str, Meta(min_length=1 if row.is_required else None, max_length=longest))


def _annotated(annotation: Any, kind: type, meta: Meta) -> Any:
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return Union[tuple(Annotated[member, meta] if _is(member, kind) else member for member in members)]  # noqa: UP007


def _is(member: Any, kind: type) -> bool:
    return member is kind or (get_origin(member) is Annotated and get_args(member)[0] is kind)


assert {field.name for field in fields(Limits)} == {
    row.limit for row in FIELD_LIMITS.values() if isinstance(row, Text) and isinstance(row.limit, str)
}
