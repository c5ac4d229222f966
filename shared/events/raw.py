"""The values of `click-data`. Decoding returns an event or a refusal and never raises, whatever the bytes. Pure."""

from typing import Final

import msgspec
from msgspec import Raw

from shared.events.amounts import EXPECTED_AMOUNT, canonical_amount, currency_of
from shared.events.hosts import is_site_name, site_name
from shared.events.limits import FIELD_LIMITS, MOST_PIECES, Limits, Text, fits, too_long
from shared.events.refusals import UNDECODABLE, Reason, Refusal, explain, too_large
from shared.events.schema import DEFAULT_EVENT_TYPE, MAX_EVENT_BYTES, RawEvent
from shared.events.timestamps import ACCEPTED, EPOCH_MS, parse_timestamp_ms

_NULL_TEXT: Final = b"null"
_NULL: Final = Raw(_NULL_TEXT)


class _LenientRaw(msgspec.Struct, frozen=True, gc=False):
    """Every type that a producer may use for a field."""

    timestamp: int | float | str
    userId: str | int | float
    productId: str | int | float | None = None
    ip: str | None = None
    userAgent: str | None = None
    original_timestamp: int | float | str | None = None
    gender: str | None = None
    age: int | float | None = None
    eventId: str | int | float | None = None
    eventType: str | None = None
    url: str | None = None
    referrer: str | None = None
    value: Raw = _NULL  # as it was written: a float would round it
    currency: str | None = None
    quantity: int | float | None = None
    orderId: str | int | float | None = None
    cost: Raw = _NULL
    platform: str | None = None
    site: str | None = None


_decode: Final = msgspec.json.Decoder(RawEvent).decode
_decode_lenient: Final = msgspec.json.Decoder(_LenientRaw).decode
_encode: Final = msgspec.json.Encoder().encode
_EXACT_BELOW: Final = 2**53
_IDENTITIES: Final = [
    name for name in RawEvent.__struct_fields__ if isinstance(row := FIELD_LIMITS[name], Text) and row.is_identity
]


class RawDecoder:
    """Decodes `click-data` values, and refuses ids over the limit. Other fields may have any length.

    Their country, device and bot are found in all that was sent; enriching shortens them afterwards.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sure_length = limits.id_bytes // 4  # characters, of up to four bytes

    def decode(self, value: bytes) -> RawEvent | Refusal:
        """Read one value."""
        if len(value) > MAX_EVENT_BYTES:
            return too_large(value)
        try:
            event = _decode(value)
        except UNDECODABLE:
            return self._limited(_decode_leniently(value))
        # Values that already follow the schema end here, in a third of the time.
        if (
            event.timestamp in EPOCH_MS
            and event.userId
            and event.productId != ""
            and event.eventId != ""
            and event.eventType
            and event.value is None
            and event.cost is None
            and event.currency is None
            and event.quantity is None
            and event.orderId != ""
            and (event.site is None or is_site_name(event.site))
        ):
            return self._limited(event)
        return self._limited(_decode_leniently(value))

    def _limited(self, event: RawEvent | Refusal) -> RawEvent | Refusal:
        sure = self._sure_length
        if isinstance(event, Refusal) or (
            len(event.userId) <= sure
            and len(event.productId or "") <= sure
            and len(event.eventId or "") <= sure
            and event.orderId is None
        ):
            return event
        for name in _IDENTITIES:
            identity = getattr(event, name)
            if identity is not None and not fits(identity, self._limits.id_bytes):
                return too_long(name, identity, self._limits.id_bytes)
        return event


decode_raw: Final = RawDecoder(Limits()).decode
"""With the default limits."""


def _decode_leniently(value: bytes) -> RawEvent | Refusal:
    try:
        wire = _decode_lenient(value)
    except UNDECODABLE as error:
        return explain(value, error)
    timestamp_ms = parse_timestamp_ms(wire.timestamp)
    if timestamp_ms is None:
        return Refusal(Reason.BAD_TIMESTAMP, f"timestamp: expected {ACCEPTED}, got {wire.timestamp!r:.80}")
    if wire.userId == "":
        return Refusal(Reason.MISSING_FIELD, "userId is empty")
    for name in _IDENTITIES:
        identity = getattr(wire, name)
        if isinstance(identity, float) and not is_exact(identity):
            expected = "expected text or a whole number below 2^53"
            return Refusal(Reason.WRONG_TYPE, f"{name}: {expected}, got {identity!r}")
    amount, cost = _amount("value", wire.value), _amount("cost", wire.cost)
    if isinstance(amount, Refusal):
        return amount
    if isinstance(cost, Refusal):
        return cost
    return RawEvent(
        timestamp=timestamp_ms,
        userId=wire.userId if isinstance(wire.userId, str) else _identity(wire.userId),
        productId=_optional_identity(wire.productId),
        ip=wire.ip,
        userAgent=wire.userAgent,
        original_timestamp=wire.original_timestamp,
        gender=wire.gender,
        age=wire.age,
        eventId=_optional_identity(wire.eventId),
        eventType=wire.eventType or DEFAULT_EVENT_TYPE,
        url=wire.url,
        referrer=wire.referrer,
        value=amount,
        currency=currency_of(wire.currency) if wire.currency else None,
        quantity=pieces_of(wire.quantity),
        orderId=_optional_identity(wire.orderId),
        cost=cost,
        platform=wire.platform,
        site=None if wire.site is None else site_name(wire.site),
    )


def _amount(name: str, token: Raw) -> str | Refusal | None:
    """A number, or text that holds one, exactly as it was written; None for null and empty text."""
    written = bytes(token)
    if written == _NULL_TEXT:
        return None
    try:
        text = msgspec.json.decode(written, type=str).strip() if written.startswith(b'"') else written.decode()
    except UNDECODABLE as error:
        return Refusal(Reason.NOT_UTF8, f"{name}: {error}")
    if not text:
        return None
    amount = canonical_amount(text)
    if amount is None:
        return Refusal(Reason.WRONG_TYPE, f"{name}: expected {EXPECTED_AMOUNT}, got {text!r:.80}")
    return amount


def pieces_of(quantity: float | None) -> int | None:
    """A whole number of pieces; None for any other number."""
    if quantity is None or not 0 <= quantity <= MOST_PIECES or quantity != int(quantity):
        return None
    return int(quantity)


def _optional_identity(identity: str | float | None) -> str | None:
    # CSV writers leave the cell empty for a page without a product, or an event that is no order.
    return _identity(identity) if identity is not None and identity != "" else None


def _identity(value: str | float) -> str:
    """The id as text. pandas and Spark write a whole number as 700.0 where another row has none."""
    return value if isinstance(value, str) else str(int(value))


def is_exact(number: float) -> bool:
    """Whether the number is whole and was not rounded, so that no two ids became one."""
    return number.is_integer() and abs(number) < _EXACT_BELOW


def encode_raw(event: RawEvent) -> bytes:
    """Write one `click-data` value, without the fields that are None or have their default."""
    return _encode(event)
