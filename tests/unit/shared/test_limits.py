"""The limits of an event's fields: every field has one, and what exceeds it is shortened, unknown or refused."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns.dimensions import SOURCE_FIELDS
from shared.events.counted import CountedDecoder
from shared.events.enriched import EnrichedDecoder, decode_enriched, encode_enriched
from shared.events.limits import FIELD_LIMITS, MARKER, Limits, Number, Text, fits, fitting, shortened
from shared.events.raw import RawDecoder
from shared.events.refusals import Reason, Refusal
from shared.events.schema import EnrichedEvent, RawEvent

NOW_MS = 1_790_000_000_123
SMALL = Limits(id_bytes=40, type_bytes=16, user_agent_bytes=64, url_bytes=80, title_bytes=32)
COUNTED = CountedDecoder(SOURCE_FIELDS)


@pytest.mark.parametrize("schema", [RawEvent, EnrichedEvent])
def test_every_field_has_a_limit_of_its_kind(schema: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(schema):
        kinds = set(get_args(field.type) or (field.type,))
        assert isinstance(FIELD_LIMITS[field.name], Text if str in kinds - {int} and int not in kinds else Number)


@given(st.text(max_size=60), st.integers(3, 40))
def test_shortened_text_fits_and_begins_as_before(text: str, most_bytes: int) -> None:
    short = shortened(text, most_bytes)
    assert len(short.encode()) <= most_bytes
    assert fits(text, most_bytes) == (len(text.encode()) <= most_bytes) == (short == text)
    assert shortened(short, most_bytes) == short
    if short != text:
        assert short.endswith(MARKER)
        assert text.startswith(short.removesuffix(MARKER))
        assert len(short.encode()) > most_bytes - 4  # a character more would not fit


@pytest.mark.parametrize("name", ["userId", "productId", "eventId", "orderId"])
@pytest.mark.parametrize(
    ("text", "is_refused"), [("x" * 256, False), ("x" * 257, True), ("ä" * 128, False), ("ä" * 129, True)]
)
def test_identity_over_the_limit_is_refused_wherever_it_is_read(name: str, text: str, is_refused: bool) -> None:
    for is_ascii in (True, False):
        value = json.dumps({"timestamp": NOW_MS, "userId": "ada", name: text}, ensure_ascii=is_ascii).encode()
        refusals = (
            RawDecoder(Limits()).decode(value),
            EnrichedDecoder(Limits()).decode(value),
            COUNTED.decode(value),
            COUNTED.decode_all([value]).refused.get(0),
        )
        assert [isinstance(found, Refusal) for found in refusals] == [is_refused] * 4
        if is_refused:
            assert {getattr(found, "reason", None) for found in refusals} == {Reason.TOO_LONG}
            assert {getattr(found, "error", None) for found in refusals} == {
                f"{name} has {len(text.encode())} bytes, more than 256"
            }


def test_number_as_an_identity_has_the_same_limit() -> None:
    value = b'{"timestamp": %d, "userId": %s}' % (NOW_MS, b"7" * 257)
    refusal = RawDecoder(Limits()).decode(value)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.TOO_LONG


texts = st.builds(
    lambda character, length: character * length, st.sampled_from(["x", "ß", "日", "𝒳"]), st.integers(0, 600)
) | st.sampled_from(["Other", "Chrome", "Windows", "Desktop", "F"])  # words of the closed lists
enriched_events = st.builds(
    lambda fields: EnrichedEvent(timestamp=NOW_MS, userId="ada", **fields),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.integers(-10, 10**20) if isinstance(row, Number) else texts
            for name, row in FIELD_LIMITS.items()
            if name not in ("timestamp", "userId")
        },
    ),
)


@given(enriched_events, st.sampled_from([Limits(), SMALL]))
def test_whatever_a_foreign_writer_sends_is_within_the_limits_or_refused(event: EnrichedEvent, limits: Limits) -> None:
    fitted = EnrichedDecoder(limits).decode(encode_enriched(event))
    if isinstance(fitted, Refusal):
        assert any(
            len(str(text).encode()) > limits.id_bytes for text in (event.productId, event.eventId, event.orderId)
        )
        return
    for name, row in FIELD_LIMITS.items():
        value = getattr(fitted, name, None)
        if isinstance(row, Text) and isinstance(value, str):
            assert len(value.encode()) <= row.bytes(limits)
        elif isinstance(value, int):
            assert isinstance(row, Number)
            assert row.least <= value <= row.most


@given(st.lists(enriched_events, max_size=5), st.sampled_from([Limits(), SMALL]))
def test_counted_events_have_the_same_fields_as_the_whole_event(events: list[EnrichedEvent], limits: Limits) -> None:
    counted = CountedDecoder(SOURCE_FIELDS, limits)
    values = [encode_enriched(event) for event in events]
    decoded = counted.decode_all(values)
    left = iter(decoded.events)
    for place, value in enumerate(values):
        alone = counted.decode(value)
        if place in decoded.refused:
            assert decoded.refused[place] == alone
            continue
        one = next(left)
        whole = EnrichedDecoder(limits).decode(value)
        if isinstance(whole, Refusal):
            pytest.fail(f"counted, but {whole}")
        for name in ("userId", "age", *SOURCE_FIELDS):
            assert getattr(one, name) == getattr(alone, name) == getattr(whole, name)
        assert counted.decode_shown(value) == whole
        assert counted.decode_shown(counted.kept(value)) == whole


def test_long_value_is_kept_as_the_event_it_holds() -> None:
    value = json.dumps(
        {"timestamp": NOW_MS, "userId": "ada", "userAgent": "x" * 9_000, "unknown": "y" * 90_000}
    ).encode()
    kept = COUNTED.kept(value)
    assert len(kept) < 1_400
    event = decode_enriched(kept)
    assert isinstance(event, EnrichedEvent)
    assert event.userAgent == "x" * 1_021 + MARKER
    assert COUNTED.kept(kept) is kept


def test_event_within_the_limits_is_the_same_object() -> None:
    event: Any = EnrichedEvent(NOW_MS, "ada", userAgent="x" * 1_024)
    assert fitting(EnrichedEvent, Limits())(event) is event
