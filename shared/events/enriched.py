"""The values of `enriched-click-data`. Decoding never raises, whatever the bytes, unless it says so. Pure."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from shared.events.limits import Limits, fitting
from shared.events.refusals import UNDECODABLE, Reason, Refusal, explain, too_large
from shared.events.schema import MAX_EVENT_BYTES, CountedEvent, EnrichedEvent
from shared.events.timestamps import LATEST_MS

_Event = TypeVar("_Event", bound=EnrichedEvent | CountedEvent)

_decode_enriched: Final = msgspec.json.Decoder(EnrichedEvent).decode
_encode: Final = msgspec.json.Encoder().encode


class EnrichedDecoder:
    """Decodes `enriched-click-data` values to events within the limits."""

    def __init__(self, limits: Limits) -> None:
        self._fit = fitting(EnrichedEvent, limits)

    def decode(self, value: bytes) -> EnrichedEvent | Refusal:
        """Read one value."""
        event = checked(value, _decode_enriched)
        return event if isinstance(event, Refusal) else self._fit(event)


decode_enriched: Final = EnrichedDecoder(Limits()).decode
"""With the default limits."""


def checked(value: bytes, decode: Callable[[bytes], _Event]) -> _Event | Refusal:
    """Read one value with `decode`, a decoder of msgspec, and check what every event must have."""
    if len(value) > MAX_EVENT_BYTES:
        return too_large(value)
    try:
        event = decode(value)
    except UNDECODABLE as error:
        return explain(value, error)
    if not event.userId:
        return Refusal(Reason.MISSING_FIELD, "userId is empty")
    if not 0 <= event.timestamp <= LATEST_MS:
        return Refusal(Reason.BAD_TIMESTAMP, f"timestamp {event.timestamp:.3g} is not epoch milliseconds")
    return event


def encode_enriched(event: EnrichedEvent) -> bytes:
    """Write one `enriched-click-data` value."""
    return _encode(event)
