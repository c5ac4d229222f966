"""What an enriched click is counted by: only the fields that figures use are decoded. Pure.

Skipping the other fields, the user agent above all, decodes a click in two thirds of the time.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from shared.events.enriched import checked, decode_enriched
from shared.events.refusals import UNDECODABLE, Refusal
from shared.events.schema import MAX_EVENT_BYTES, CountedEvent, EnrichedEvent
from shared.events.timestamps import LATEST_MS


class Decoded(NamedTuple):
    """A batch of values, decoded: the events in order, their timestamps (epoch ms), and the refusals by index."""

    events: list[CountedEvent]
    timestamps: list[int]
    refused: dict[int, Refusal]


class CountedDecoder:
    """Decodes `enriched-click-data` values to `CountedEvent` with some further fields of `EnrichedEvent`."""

    def __init__(self, fields: Iterable[str]) -> None:
        """`fields` are names of fields of `EnrichedEvent`. Raises KeyError for any other."""
        self._decode: Final = msgspec.json.Decoder(_counted_type(fields)).decode

    def decode(self, value: bytes) -> CountedEvent | Refusal:
        """Read one value. Other fields may hold anything."""
        return checked(value, self._decode)

    def decode_all(self, values: Sequence[bytes]) -> Decoded:
        """Read a batch of values, each as `decode` does, in half the time."""
        decode = self._decode
        try:
            events = [decode(value) for value in values]
        except UNDECODABLE:
            return self._decode_each(values)
        # Checks the batch as a whole, because refusals are rare.
        timestamps = [event.timestamp for event in events]
        in_range = min(timestamps, default=0) >= 0 and max(timestamps, default=0) <= LATEST_MS
        is_small = max(map(len, values), default=0) <= MAX_EVENT_BYTES
        if in_range and is_small and all([event.userId for event in events]):  # noqa: C419 - a generator takes twice as long
            return Decoded(events, timestamps, {})
        return self._decode_each(values)

    def _decode_each(self, values: Sequence[bytes]) -> Decoded:
        events, refused = [], {}
        for place, value in enumerate(values):
            event = self.decode(value)
            if isinstance(event, Refusal):
                refused[place] = event
            else:
                events.append(event)
        return Decoded(events, [event.timestamp for event in events], refused)

    def decode_shown(self, value: bytes) -> EnrichedEvent:
        """Read a value that `decode` accepts; only the counted fields where another field is wrong.

        Raises what msgspec raises for other values.
        """
        event = decode_enriched(value)
        if isinstance(event, EnrichedEvent):
            return event
        return EnrichedEvent(**msgspec.structs.asdict(self._decode(value)))


def _counted_type(fields: Iterable[str]) -> type[CountedEvent]:
    known = {field.name: field for field in msgspec.structs.fields(EnrichedEvent)}
    own: list[tuple[str, Any, Any]] = [
        (name, known[name].type, known[name].default) for name in fields if name not in CountedEvent.__struct_fields__
    ]
    derived: Any = msgspec.defstruct("CountedEvent", own, bases=(CountedEvent,), frozen=True, gc=False)
    return derived  # type: ignore[no-any-return] # a subclass of its base
