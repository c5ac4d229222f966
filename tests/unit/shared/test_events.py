"""Decoding: every value is an event or a refusal, nothing raises, and what was encoded comes back."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.events.amounts import GREATEST_AMOUNT, MILLION, NO_CURRENCY, amount_text, millionths_of
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.limits import MOST_PIECES
from shared.events.raw import decode_raw, encode_raw
from shared.events.refusals import Reason, Refusal
from shared.events.schema import MAX_EVENT_BYTES, EnrichedEvent, RawEvent
from shared.events.timestamps import ACCEPTED, EPOCH_MS, LATEST_MS

CLICK: dict[str, Any] = {"timestamp": 1_790_000_000_123, "userId": "ada"}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
filled_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
timestamps = st.integers(EPOCH_MS.start, EPOCH_MS.stop - 1)
amounts = st.integers(-GREATEST_AMOUNT * MILLION, GREATEST_AMOUNT * MILLION).map(amount_text)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)

raw_events = st.builds(
    RawEvent,
    timestamp=timestamps,
    userId=filled_text,
    productId=st.none() | filled_text,
    ip=st.none() | text,
    userAgent=st.none() | text,
    original_timestamp=st.none() | numbers | text,
    gender=st.none() | text,
    age=st.none() | numbers,
    eventId=st.none() | filled_text,
    eventType=filled_text,
    url=st.none() | text,
    referrer=st.none() | text,
    value=st.none() | amounts,
    currency=st.none() | st.sampled_from(["EUR", "JPY", NO_CURRENCY]),
    quantity=st.none() | st.integers(0, MOST_PIECES),
    orderId=st.none() | filled_text,
    cost=st.none() | amounts,
    platform=st.none() | text,
    site=st.none() | st.sampled_from(["shop.example", "localhost", "127.0.0.1"]),
)
enriched_events = st.builds(
    EnrichedEvent,
    timestamp=st.integers(0, LATEST_MS),
    userId=filled_text,
    original_timestamp=st.none() | timestamps,
    ip=st.none() | text,
    userAgent=st.none() | text,
    productId=st.none() | filled_text,
    category=st.none() | text,
    title=st.none() | text,
    gender=st.sampled_from("MFU"),
    country=text,
    deviceType=st.sampled_from(("Desktop", "Bot")),
    age=st.none() | st.integers(0, 150),
    birthdate=st.none() | st.dates().map(str),
    url=st.none() | text,
)
documents = st.recursive(
    st.none() | st.booleans() | numbers | st.integers() | text,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(text, children, max_size=4),
    max_leaves=10,
)
field_names = st.sampled_from(RawEvent.__struct_fields__)
mutated_clicks = st.builds(
    lambda fields: json.dumps(CLICK | fields).encode(), st.dictionaries(field_names, documents, max_size=4)
)


@st.composite
def damaged_clicks(draw: st.DrawFn) -> bytes:
    """A click that lost some bytes and got others."""
    value = draw(raw_events.map(encode_raw))
    start = draw(st.integers(0, len(value)))
    return value[:start] + draw(st.binary(max_size=8)) + value[draw(st.integers(start, len(value))) :]


@given(raw_events)
def test_raw_event_survives_the_wire(event: RawEvent) -> None:
    assert decode_raw(encode_raw(event)) == event


@given(enriched_events)
def test_enriched_event_survives_the_wire(event: EnrichedEvent) -> None:
    assert decode_enriched(encode_enriched(event)) == event


@given(st.binary() | mutated_clicks | damaged_clicks())
@example(b"")
@example(b"[" * 200_000)
@example(b'{"timestamp":' + b"9" * 5000 + b',"userId":"ada"}')
@example(b'{"timestamp":1e999,"userId":"ada"}')
@example(b'{"timestamp":NaN,"userId":"ada"}')
@example(b'{"timestamp":1790000000123,"userId":"\\ud800"}')
@example(b'{"timestamp":1790000000123,"userId":"\\u0000"}')
@example(b'{"timestamp":1790000000123,"userId":"ada","userId":7}')
@example(b'{"timestamp":1790000000123,"userId":"ada","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
@example(b"\xef\xbb\xbf" + b'{"timestamp":1790000000123,"userId":"ada"}')
def test_decoding_never_raises(value: bytes) -> None:
    raw, enriched = decode_raw(value), decode_enriched(value)
    if isinstance(raw, RawEvent):
        assert 0 <= raw.timestamp <= LATEST_MS
        assert raw.userId.encode()  # a key can be made of it
        assert raw.productId != ""
        assert isinstance(decode_raw(encode_raw(raw)), RawEvent)
    if isinstance(enriched, EnrichedEvent):
        assert enriched.userId.encode()
        assert decode_enriched(encode_enriched(enriched)) == enriched


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"click", Reason.NOT_JSON),
        (b'{"timestamp":1790000000123,"userId":"ada"', Reason.NOT_JSON),
        (b'{"timestamp":1790000000123,"userId":"\xff"}', Reason.NOT_UTF8),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'{"userId":"ada"}', Reason.MISSING_FIELD),
        (b'{"timestamp":1790000000123}', Reason.MISSING_FIELD),
        (b'{"timestamp":1790000000123,"userId":""}', Reason.MISSING_FIELD),
        (b'{"timestamp":1790000000123,"userId":null}', Reason.MISSING_FIELD),
        (b'{"timestamp":1790000000123,"userId":true}', Reason.WRONG_TYPE),
        (b'{"timestamp":[],"userId":"ada"}', Reason.WRONG_TYPE),
        (b'{"timestamp":1790000000123,"userId":"ada","ip":4}', Reason.WRONG_TYPE),
        (b'{"timestamp":1790000000123,"userId":1.5}', Reason.WRONG_TYPE),
        (b'{"timestamp":1790000000123,"userId":"ada","productId":1e300}', Reason.WRONG_TYPE),
        (b'{"timestamp":1790000000123,"userId":"ada","eventId":9007199254740993.0}', Reason.WRONG_TYPE),
        (b'{"timestamp":"yesterday","userId":"ada"}', Reason.BAD_TIMESTAMP),
        (b'{"timestamp":-1,"userId":"ada"}', Reason.BAD_TIMESTAMP),
        (b'{"timestamp":1790000000123,"userId":"' + b"a" * MAX_EVENT_BYTES + b'"}', Reason.TOO_LARGE),
    ],
)
def test_refusal_names_its_reason(value: bytes, reason: Reason) -> None:
    refusal = decode_raw(value)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert refusal.error


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"timestamp": "yesterday"}, f"timestamp: expected {ACCEPTED}, got 'yesterday'"),
        ({"userId": 1.5}, "userId: expected text or a whole number below 2^53, got 1.5"),
        ({"ip": 4}, "ip: expected text or null, got a number"),
        ({"timestamp": []}, "timestamp: expected a number or text, got a list"),
        ({"age": {}}, "age: expected a number or null, got an object"),
        ({"gender": True}, "gender: expected text or null, got true or false"),
    ],
)
def test_refusal_says_what_is_accepted(value: dict[str, Any], error: str) -> None:
    refusal = decode_raw(json.dumps(CLICK | value).encode())
    assert isinstance(refusal, Refusal)
    assert refusal.error == error


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timestamp": 1_790_000_000}, {"timestamp": 1_790_000_000_000}),
        ({"timestamp": "2026-09-21T14:53:20.123+01:00"}, {"timestamp": 1_789_998_800_123}),
        ({"userId": 17}, {"userId": "17"}),
        # as pandas and Spark write a column of whole numbers in which one is missing
        ({"userId": 700.0, "timestamp": 1_790_000_000_123.0}, {"userId": "700"}),
        ({"productId": 2000.0, "eventId": 7e3}, {"productId": "2000", "eventId": "7000"}),
        ({"timestamp": "2026-09-21 14:13:20.123 UTC"}, {}),
        ({"productId": 17}, {"productId": "17"}),
        ({"productId": ""}, {"productId": None}),
        ({"productId": "", "timestamp": "1790000000"}, {"productId": None, "timestamp": 1_790_000_000_000}),
        ({"eventId": 17}, {"eventId": "17"}),
        ({"value": 19.99, "currency": "eur"}, {"value": "19.99", "currency": "EUR"}),
        ({"value": "-5.00", "currency": "€"}, {"value": "-5", "currency": NO_CURRENCY}),
        ({"value": "1e3", "cost": 0.30000000000000004}, {"value": "1000", "cost": "0.3"}),
        ({"value": "123456789012.345678"}, {"value": "123456789012.345678"}),
        ({"value": "", "currency": "", "orderId": "", "cost": None}, {}),
        ({"eventId": ""}, {}),  # or all such clicks of a visitor were repeats of one
        ({"quantity": 2.0, "orderId": 1001.0}, {"quantity": 2, "orderId": "1001"}),
        ({"quantity": 2.5, "orderId": 1001}, {"orderId": "1001"}),
        ({"quantity": -1}, {}),
        ({"quantity": 10**30}, {}),
        ({"platform": "web"}, {"platform": "web"}),
        ({"site": "shop.example"}, {"site": "shop.example"}),
        ({"site": "https://www.Shop.example:8443/cart?a=1"}, {"site": "shop.example"}),
        ({"site": "my shop"}, {}),
        ({"site": "x" * 254}, {}),
        ({"site": ""}, {}),
        ({"site": None}, {}),
        ({"eventType": None}, {"eventType": "page_view"}),
        ({"eventType": ""}, {"eventType": "page_view"}),
        ({"eventType": "purchase"}, {"eventType": "purchase"}),
        ({"status": 200, "nested": {"unknown": [1]}}, {}),
    ],
)
def test_producers_may_write_loosely(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert decode_raw(json.dumps(CLICK | fields).encode()) == RawEvent(**(CLICK | expected))


def test_a_number_is_read_from_its_digits() -> None:
    event = decode_raw(b'{"timestamp":1790000000123,"userId":"ada","value":123456789012.345678}')
    assert isinstance(event, RawEvent)
    assert event.value == "123456789012.345678"  # a float has 16 digits


@pytest.mark.parametrize("name", ["value", "cost"])
@pytest.mark.parametrize(
    "written",
    [
        '"12,50"',
        '"€5"',
        '"NaN"',
        '"null"',
        "true",
        "[1]",
        '{"amount": 1}',
        "1e13",
        "-1000000000000.1",
        '"1e999"',
        "1e-1000",
    ],
)
def test_what_is_no_amount_is_refused_and_says_what_is_expected(name: str, written: str) -> None:
    refusal = decode_raw(b'{"timestamp":1790000000123,"userId":"ada","%b":%b}' % (name.encode(), written.encode()))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.WRONG_TYPE
    assert refusal.error.startswith(f"{name}: expected a number such as 19.99, from -1,000,000,000,000 to ")


@given(st.integers(-GREATEST_AMOUNT * MILLION, GREATEST_AMOUNT * MILLION))
def test_an_amount_as_text_is_the_same_amount(millionths: int) -> None:
    assert millionths_of(amount_text(millionths)) == millionths


@given(st.text("0123456789+-.eE_ ٣", max_size=70) | st.decimals(allow_nan=False, allow_infinity=False).map(str))
def test_any_text_is_an_amount_in_range_or_none(text: str) -> None:
    millionths = millionths_of(text)
    if millionths is not None:
        assert abs(Decimal(text) * MILLION - millionths) <= Decimal("0.5")
        assert abs(millionths) <= GREATEST_AMOUNT * MILLION


def test_default_fields_are_not_written() -> None:
    assert encode_raw(RawEvent(**CLICK)) == b'{"timestamp":1790000000123,"userId":"ada"}'


def test_optional_fields_are_written_only_when_the_producer_sent_them() -> None:
    written = json.loads(encode_enriched(EnrichedEvent(**CLICK)))
    assert {"eventId", "eventType", "url", "referrer", "value", "orderId", "platform", "site"}.isdisjoint(written)
    assert written["category"] is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"timestamp":-1,"userId":"ada"}', Reason.BAD_TIMESTAMP),
        (b'{"timestamp":1790000000123456789,"userId":"ada"}', Reason.BAD_TIMESTAMP),
        (b'{"timestamp":"2026-09-21","userId":"ada"}', Reason.WRONG_TYPE),
        (b'{"timestamp":1790000000123,"userId":""}', Reason.MISSING_FIELD),
        (b" " * (MAX_EVENT_BYTES + 1), Reason.TOO_LARGE),
    ],
)
def test_enriched_refusal_names_its_reason(value: bytes, reason: Reason) -> None:
    refusal = decode_enriched(value)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_enriched_event_shows_its_time() -> None:
    assert EnrichedEvent(**CLICK).datetime.isoformat() == "2026-09-21T14:13:20.123000+00:00"
