"""The events of the two topics. Decoding returns an event or a refusal and never raises, whatever the bytes."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from shared.events.refusals import Reason, Refusal
from shared.events.timestamps import EPOCH_MS, LATEST_MS, parse_timestamp_ms

MAX_EVENT_BYTES: Final = 256 * 1024
DEVICE_TYPES: Final = ("Desktop", "Mobile", "Tablet", "Bot", "Other")
GENDERS: Final = ("M", "F", "U")
UNKNOWN: Final = "Unknown"
DEFAULT_EVENT_TYPE: Final = "page_view"


class RawEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A click as a producer sent it, `timestamp` already epoch ms. Absent optional fields are None.

    `userId` and `productId` may be JSON numbers; they become text.
    """

    timestamp: int
    userId: str
    productId: str | None = None
    ip: str | None = None
    userAgent: str | None = None
    original_timestamp: int | float | str | None = None
    gender: str | None = None
    age: int | float | None = None
    eventId: str | None = None
    eventType: str = DEFAULT_EVENT_TYPE
    url: str | None = None
    referrer: str | None = None


class EnrichedEvent(msgspec.Struct, frozen=True, gc=False):
    """An enriched click. `timestamp` and `original_timestamp` are epoch ms, `birthdate` is YYYY-MM-DD, `age` in years.

    `category` and `title` are None where the page shows no product, "Unknown" where the catalogue lacks it. The last
    four fields are written only when the producer sent them.
    """

    timestamp: int
    userId: str
    original_timestamp: int | None = None
    ip: str | None = None
    userAgent: str | None = None
    productId: str | None = None
    category: str | None = None
    title: str | None = None
    gender: str = "U"
    country: str = UNKNOWN
    deviceType: str = "Other"
    age: int | None = None
    birthdate: str | None = None
    eventId: str | UnsetType | None = UNSET
    eventType: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    referrer: str | UnsetType | None = UNSET

    @property
    def datetime(self) -> datetime:
        """The event time, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)


class CountedEvent(msgspec.Struct, frozen=True, gc=False):
    """What an enriched click is counted by: the fields of `EnrichedEvent` that figures are made of.

    Leaving the others alone, the user agent above all, reads a click in two thirds of the time.
    """

    timestamp: int
    userId: str
    productId: str | None = None
    category: str | None = None
    title: str | None = None
    gender: str = "U"
    country: str = UNKNOWN
    deviceType: str = "Other"
    age: int | None = None
    eventId: str | UnsetType | None = UNSET
    eventType: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET


class _RawWire(msgspec.Struct, frozen=True, gc=False):
    """`click-data` as it is written: the types a producer may use before they are made one."""

    timestamp: int | float | str
    userId: str | int
    productId: str | int | None = None
    ip: str | None = None
    userAgent: str | None = None
    original_timestamp: int | float | str | None = None
    gender: str | None = None
    age: int | float | None = None
    eventId: str | int | None = None
    eventType: str | None = None
    url: str | None = None
    referrer: str | None = None


_Enriched = TypeVar("_Enriched", EnrichedEvent, CountedEvent)

_decode_raw = msgspec.json.Decoder(RawEvent).decode
_decode_raw_wire = msgspec.json.Decoder(_RawWire).decode
_decode_enriched = msgspec.json.Decoder(EnrichedEvent).decode
_decode_counted = msgspec.json.Decoder(CountedEvent).decode
_encode = msgspec.json.Encoder().encode


def decode_raw(value: bytes) -> RawEvent | Refusal:
    """Read one `click-data` value."""
    if len(value) > MAX_EVENT_BYTES:
        return _too_large(value)
    try:
        event = _decode_raw(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_raw_leniently(value)
    # What a producer with the schema at hand writes is done here, in a third of the time.
    if event.timestamp in EPOCH_MS and event.userId and event.productId != "" and event.eventType:
        return event
    return _decode_raw_leniently(value)


def _decode_raw_leniently(value: bytes) -> RawEvent | Refusal:
    try:
        wire = _decode_raw_wire(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _explain(value, error)
    timestamp_ms = parse_timestamp_ms(wire.timestamp)
    if timestamp_ms is None:
        return Refusal(Reason.BAD_TIMESTAMP, f"timestamp {wire.timestamp!r:.80} is no instant from 1970 to 9999")
    if wire.userId == "":
        return Refusal(Reason.MISSING_FIELD, "userId is empty")
    return RawEvent(
        timestamp=timestamp_ms,
        userId=wire.userId if isinstance(wire.userId, str) else str(wire.userId),
        productId=_product_id(wire.productId),
        ip=wire.ip,
        userAgent=wire.userAgent,
        original_timestamp=wire.original_timestamp,
        gender=wire.gender,
        age=wire.age,
        eventId=wire.eventId if wire.eventId is None or isinstance(wire.eventId, str) else str(wire.eventId),
        eventType=wire.eventType or DEFAULT_EVENT_TYPE,
        url=wire.url,
        referrer=wire.referrer,
    )


def encode_raw(event: RawEvent) -> bytes:
    """Write one `click-data` value, without the fields that are None or have their default."""
    return _encode(event)


def decode_enriched(value: bytes) -> EnrichedEvent | Refusal:
    """Read one `enriched-click-data` value."""
    return _checked(value, _decode_enriched)


def decode_counted(value: bytes) -> CountedEvent | Refusal:
    """Read what one `enriched-click-data` value is counted by. Other fields may be anything."""
    return _checked(value, _decode_counted)


def _checked(value: bytes, decode: Callable[[bytes], _Enriched]) -> _Enriched | Refusal:
    if len(value) > MAX_EVENT_BYTES:
        return _too_large(value)
    try:
        event = decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _explain(value, error)
    if not event.userId:
        return Refusal(Reason.MISSING_FIELD, "userId is empty")
    if not 0 <= event.timestamp <= LATEST_MS:
        return Refusal(Reason.BAD_TIMESTAMP, f"timestamp {event.timestamp} is not epoch milliseconds")
    return event


def decode_shown(value: bytes) -> EnrichedEvent:
    """Read all of a value that `decode_counted` accepts, or that alone where the other fields are not right."""
    event = decode_enriched(value)
    if isinstance(event, EnrichedEvent):
        return event
    return EnrichedEvent(**msgspec.structs.asdict(_decode_counted(value)))


class Decoded(NamedTuple):
    """Many values, read: the events in order, their timestamps (epoch ms), and the refusals by place of the value."""

    events: list[CountedEvent]
    timestamps: list[int]
    refused: dict[int, Refusal]


def decode_counted_all(values: Sequence[bytes]) -> Decoded:
    """Read many `enriched-click-data` values, each as `decode_counted` does, in half the time."""
    try:
        events = [_decode_counted(value) for value in values]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_counted_each(values)
    # Looked at as a whole: in a batch there is hardly ever one that is refused.
    timestamps = [event.timestamp for event in events]
    in_range = min(timestamps, default=0) >= 0 and max(timestamps, default=0) <= LATEST_MS
    is_small = max(map(len, values), default=0) <= MAX_EVENT_BYTES
    if in_range and is_small and all([event.userId for event in events]):  # noqa: C419 - a generator takes twice as long
        return Decoded(events, timestamps, {})
    return _decode_counted_each(values)


def _decode_counted_each(values: Sequence[bytes]) -> Decoded:
    events, refused = [], {}
    for place, value in enumerate(values):
        event = decode_counted(value)
        if isinstance(event, Refusal):
            refused[place] = event
        else:
            events.append(event)
    return Decoded(events, [event.timestamp for event in events], refused)


def encode_enriched(event: EnrichedEvent) -> bytes:
    """Write one `enriched-click-data` value."""
    return _encode(event)


def _product_id(product_id: str | int | None) -> str | None:
    # An empty id is a page without a product, as CSV writers leave the cell empty.
    return str(product_id) if product_id is not None and product_id != "" else None


def _too_large(value: bytes) -> Refusal:
    return Refusal(Reason.TOO_LARGE, f"{len(value)} bytes, more than {MAX_EVENT_BYTES}")


def _explain(value: bytes, error: Exception) -> Refusal:
    """Name the reason once decoding has failed; off the hot path, so it may look at the bytes again."""
    try:
        value.decode()
    except UnicodeDecodeError as not_utf8:
        return Refusal(Reason.NOT_UTF8, str(not_utf8))
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as not_json:
        return Refusal(Reason.NOT_JSON, str(not_json))
    if not isinstance(document, dict):
        return Refusal(Reason.NOT_AN_OBJECT, f"a JSON {type(document).__name__}, not an object")
    for required in ("timestamp", "userId"):
        if document.get(required) is None:
            return Refusal(Reason.MISSING_FIELD, f"{required} is required")
    return Refusal(Reason.WRONG_TYPE, str(error))
