"""Clicks: whatever a sender writes is refused or becomes a value that enrich accepts, with the same meaning."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.collect.bodies import read_json
from services.collect.clicks import Click, Mistake, click_of
from shared.events.collected import OUTCOMES
from shared.events.limits import Limits, shortened
from shared.events.raw import RawDecoder
from shared.events.schema import RawEvent
from tests.support.samples.json_values import json_values

NOW_MS = 1_795_000_000_000
NAMES = [*Click.__struct_fields__, "unknown"]


def clicked(**fields: Any) -> Click:
    click = click_of(fields, NOW_MS, Limits())
    assert isinstance(click, Click), click
    return click


def refused(**fields: Any) -> Mistake:
    mistake = click_of(fields, NOW_MS, Limits())
    assert isinstance(mistake, Mistake), mistake
    return mistake


@example({"timestamp": 1})  # a second after 1970, in ms a number that stands for seconds
@given(st.dictionaries(st.sampled_from(NAMES), json_values()))
def test_enrich_takes_every_click(fields: dict[str, Any]) -> None:
    click = click_of(fields, NOW_MS, Limits())
    if isinstance(click, Mistake):
        assert click.reason in OUTCOMES
        assert click.field in NAMES
        return
    click.userId = click.userId or "visitor"
    event = RawDecoder(Limits()).decode(click.encoded())
    assert isinstance(event, RawEvent), event
    for name in Click.__struct_fields__:
        assert getattr(event, name) == getattr(click, name)


@example({"eventId": ""})
@example({"userId": 2**53})  # an integer in JSON is not rounded
@example({"productId": 1e16})
@example({"cost": " "})
@example({"timestamp": 0.015625})  # its text is as long as a date
@given(st.dictionaries(st.sampled_from(NAMES), json_values()))
def test_what_enrich_takes_is_taken_with_the_same_meaning(fields: dict[str, Any]) -> None:
    value = msgspec.json.encode({"timestamp": NOW_MS, "userId": "visitor"} | fields)
    event = RawDecoder(Limits()).decode(value)
    if not isinstance(event, RawEvent) or event.timestamp > NOW_MS:
        return
    click = click_of(read_json(value), NOW_MS, Limits())
    assert isinstance(click, Click), click
    for name in ("timestamp", "userId", "productId", "eventId", "eventType", "value", "currency", "quantity", "cost"):
        meant = getattr(event, name)  # with an empty eventId all clicks but one were repeats
        if name == "eventType":
            meant = shortened(meant, Limits().type_bytes)  # as enrich does later
        assert getattr(click, name) == (None if meant == "" else meant)


def test_a_click_without_a_timestamp_happened_when_it_arrived() -> None:
    assert clicked(url="https://shop.example/").timestamp == NOW_MS
    assert clicked(timestamp="2026-11-18T10:00:00Z").timestamp == 1_794_996_000_000
    assert refused(timestamp=NOW_MS + 60_001) == Mistake(
        "future", "timestamp", "2026-11-18T11:07:40.001+00:00 is more than 60 s ahead of our clock"
    )


@pytest.mark.parametrize("written", ["19.99", b"19.99", b'"19.99"', b"1999e-2"])
def test_amounts_are_exact(written: str | bytes) -> None:
    value = written if isinstance(written, str) else read_json(written)
    assert clicked(value=value).value == "19.99"


@pytest.mark.parametrize("written", [b"700", b"700.0", b'"700"', b"7e2"])
def test_whole_numbers_are_ids(written: bytes) -> None:
    assert clicked(productId=read_json(written)).productId == "700"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"userId": "u" * 257}, "too_long"),
        ({"eventId": 0.5}, "wrong_type"),
        ({"productId": True}, "wrong_type"),
        ({"timestamp": "yesterday"}, "bad_timestamp"),
        ({"url": 5}, "wrong_type"),
        ({"value": "a lot"}, "wrong_type"),
        ({"value": True}, "wrong_type"),
        ({"age": "old"}, "wrong_type"),
        ({"site": 5}, "wrong_type"),
    ],
)
def test_a_mistake_names_reason_and_field(fields: dict[str, Any], reason: str) -> None:
    mistake = refused(**fields)
    assert (mistake.reason, mistake.field) == (reason, next(iter(fields)))
