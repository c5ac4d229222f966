"""One event: the fields that a protocol understood become a click for the raw topic, or are refused. Pure."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, NamedTuple

import msgspec

from shared.events.amounts import EXPECTED_AMOUNT, canonical_amount, currency_of
from shared.events.hosts import site_name
from shared.events.limits import FIELD_LIMITS, OLDEST_YEARS, Limits, Text, fits, shortened
from shared.events.raw import is_exact, pieces_of
from shared.events.refusals import Reason
from shared.events.schema import DEFAULT_EVENT_TYPE
from shared.events.timestamps import ACCEPTED, EPOCH_MS, FUTURE_TOLERANCE_MS, parse_timestamp_ms

_encode: Final = msgspec.json.Encoder().encode


class Click(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """A value of the raw topic, see `shared.events.schema.RawEvent`. `userId` is filled in last."""

    timestamp: int
    userId: str = ""
    productId: str | None = None
    ip: str | None = None
    userAgent: str | None = None
    gender: str | None = None
    age: int | float | None = None
    eventId: str | None = None
    eventType: str = DEFAULT_EVENT_TYPE
    url: str | None = None
    referrer: str | None = None
    site: str | None = None
    value: str | None = None
    currency: str | None = None
    quantity: int | None = None
    orderId: str | None = None
    cost: str | None = None
    platform: str | None = None

    def encoded(self) -> bytes:
        """The value, without fields that are None or have their default."""
        if self.timestamp in EPOCH_MS:
            return _encode(self)
        # Readers would take so small a number for seconds, but understand text.
        return _encode(msgspec.structs.replace(self, timestamp=_iso(self.timestamp)))


class JsonNumber(str):
    """A number with a point or exponent, as JSON wrote it: a float would round an amount."""

    __slots__ = ()


class Mistake(NamedTuple):
    """Why an event is refused: one of `shared.events.collected.OUTCOMES`, the field, and a sentence."""

    reason: str
    field: str
    message: str


Fields = Mapping[str, Any]
"""An event's fields under the names of `Click`, as a protocol's JSON, query or form has them. Others are ignored.

`site` may be a tuple of names, of which `Rules` takes the first that is known.
"""


def click_of(fields: Fields, arrived_ms: int, limits: Limits) -> Click | Mistake:
    """The click of these fields, which may be of any type. Without a timestamp it happened when it arrived."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        read = _READ.get(name)
        if read is None or value is None or value == "":
            continue
        kept = read(name, value, limits)
        if isinstance(kept, Mistake):
            return kept
        if kept is not None:
            found[name] = kept
    timestamp_ms = found.setdefault("timestamp", arrived_ms)
    if timestamp_ms > arrived_ms + FUTURE_TOLERANCE_MS:
        return Mistake(Reason.FUTURE, "timestamp", f"{_iso(timestamp_ms)} is more than 60 s ahead of our clock")
    return Click(**found)


def _iso(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _timestamp(name: str, value: object, _: Limits) -> int | Mistake:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        timestamp_ms = parse_timestamp_ms(float(value) if isinstance(value, JsonNumber) else value)
        if timestamp_ms is not None:
            return timestamp_ms
    return Mistake(Reason.BAD_TIMESTAMP, name, f"expected {ACCEPTED}, got {value!r:.80}")


def _identity(name: str, value: object, limits: Limits) -> str | Mistake:
    if type(value) is str and value.isascii() and len(value) <= limits.id_bytes:
        return value  # as nearly all
    if isinstance(value, JsonNumber):
        value = float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif isinstance(value, float) and is_exact(value):
        value = str(int(value))
    if not isinstance(value, str):
        return _wrong(name, "text or a whole number below 2^53", value)
    if not _is_text(value):
        return Mistake(Reason.NOT_UTF8, name, "holds half of a surrogate pair")
    if not fits(value, limits.id_bytes):
        return Mistake(Reason.TOO_LONG, name, f"has {len(value.encode())} bytes, more than {limits.id_bytes}")
    return value


def _text(name: str, value: object, limits: Limits) -> str | Mistake:
    if not isinstance(value, str) or isinstance(value, JsonNumber):
        return _wrong(name, "text", value)
    row = FIELD_LIMITS.get(name)
    assert isinstance(row, Text)
    most_bytes = row.bytes(limits)
    if value.isascii() and len(value) <= most_bytes:
        return value  # as nearly all
    return shortened(value if _is_text(value) else value.encode("utf-8", "replace").decode(), most_bytes)


def _site(name: str, value: object, _: Limits) -> str | Mistake | None:
    """The site in one spelling; None for text that names no host."""
    return site_name(value) if isinstance(value, str) else _wrong(name, "text", value)


def _amount(name: str, value: object, _: Limits) -> str | Mistake | None:
    """A number, or text that holds one; None for blank text."""
    if isinstance(value, str) and not value.strip():
        return None
    amount = canonical_amount(str(value).strip()) if isinstance(value, int | float | str) else None
    if amount is None or isinstance(value, bool):
        return _wrong(name, EXPECTED_AMOUNT, value)
    return amount


def _currency(name: str, value: object, _: Limits) -> str | Mistake | None:
    return currency_of(value) if isinstance(value, str) else _wrong(name, "text", value)


def _quantity(name: str, value: object, _: Limits) -> int | Mistake | None:
    """A whole number of pieces; None for any other number."""
    number = _number(name, value)
    if isinstance(number, Mistake):
        return number
    return pieces_of(number)


def _age(name: str, value: object, _: Limits) -> float | Mistake | None:
    """In years; None for any that nobody has."""
    number = _number(name, value)
    return number if isinstance(number, Mistake) or 0 <= number <= OLDEST_YEARS else None


def _number(name: str, value: object) -> float | Mistake:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
            if isfinite(number):
                return number
    return _wrong(name, "a number", value)


def _wrong(name: str, expected: str, value: object) -> Mistake:
    return Mistake(Reason.WRONG_TYPE, name, f"expected {expected}, got {value!r:.80}")


def _is_text(value: str) -> bool:
    """Whether it is text: JSON can write half of a surrogate pair, which is no character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_READ: Final[dict[str, Callable[[str, Any, Limits], Any]]] = {
    "timestamp": _timestamp,
    **dict.fromkeys(("userId", "productId", "eventId", "orderId"), _identity),
    **dict.fromkeys(("ip", "userAgent", "gender", "eventType", "url", "referrer", "platform"), _text),
    "site": _site,
    "value": _amount,
    "cost": _amount,
    "currency": _currency,
    "quantity": _quantity,
    "age": _age,
}
"""How each field of `Click` is read."""
