"""The fast path: what it returns decodes to what `enrich` returns, and it leaves everything else to `enrich`."""

import json
from itertools import chain, islice, product
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.enrich.attributes.agent import Agent
from services.enrich.lookups.catalogue import NO_PRODUCT, UNKNOWN_PRODUCT, ProductFacts, VisitorFacts, visitor_of
from services.enrich.transform.enrich import Enricher
from services.enrich.transform.fast_path import FastPath
from services.enrich.transform.fields import FIELDS
from services.enrich.transform.rules import Rules
from services.traffic.simulation import simulate
from services.traffic.world import World
from shared.events.addresses import truncated_ip
from shared.events.amounts import amount_text
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.limits import MOST_PIECES
from shared.events.raw import decode_raw, encode_raw
from shared.events.schema import MAX_EVENT_BYTES, EnrichedEvent, RawEvent
from shared.streams.event_log import NewRecord
from tests.support.samples.mutations import NOW_MS, mutated_events

ADA = visitor_of(b"F", b"2000-02-29") or VisitorFacts()
PRODUCTS = {f"V{number}": ProductFacts("vases", f'No. {number}, "blue" Größe\u2028') for number in range(50)} | {
    "GONE": UNKNOWN_PRODUCT,
    "/about": UNKNOWN_PRODUCT,
    "/vase": ProductFacts("vases", "Vase"),
}
VISITORS = {f"user{number}": VisitorFacts() for number in range(200)} | {
    "user1": ADA,
    "unborn": VisitorFacts("M", "2999-01-01", 29990101),
}


class _Everything(dict[str | None, str]):
    """An answer for every question, which repeats the question."""

    def __missing__(self, asked: str | None) -> str:
        return f"answer to {asked}"[:64]


class _EveryAgent(dict[str | None, Agent]):
    def __missing__(self, asked: str | None) -> Agent:
        return Agent(f"device of {asked}"[:64], f"browser of {asked}"[:64], f"system of {asked}"[:64])


COUNTRIES, AGENTS = _Everything(), _EveryAgent()  # shared by all tests, as a visitor remembers which mapping answered


EXPOSED, PRIVATE = Rules(exposes_pii=True), Rules()
ENRICHERS = {rules: Enricher(rules).enrich for rules in (EXPOSED, PRIVATE)}
FAST_PATHS = {rules: FastPath(rules).append_answers for rules in (EXPOSED, PRIVATE)}
append_answers = FAST_PATHS[EXPOSED]


def appended(value: bytes, arrived_ms: int = NOW_MS, rules: Rules = EXPOSED) -> NewRecord | None:
    for visitor in VISITORS.values():  # a service has one set of rules, so its memos too
        visitor.appendix = VisitorFacts().appendix
    append = FAST_PATHS[rules]
    (output,), left = append([value], [arrived_ms], "enriched", PRODUCTS, VISITORS, COUNTRIES, AGENTS)
    assert left == ([0] if output is None else [])
    return None if output is None else NewRecord(*output)


def enriched_slowly(value: bytes, arrived_ms: int = NOW_MS, rules: Rules = EXPOSED) -> EnrichedEvent:
    event = decode_raw(value)
    assert isinstance(event, RawEvent)
    known = PRODUCTS[event.productId] if event.productId is not None else NO_PRODUCT
    made = ENRICHERS[rules](
        event,
        event.userId,
        truncated_ip(event.ip) if rules.truncates_ip else event.ip,
        known,
        VISITORS[event.userId],
        f"answer to {event.ip}"[:64],
        AGENTS[event.userAgent],
        arrived_ms,
    )
    assert isinstance(made, EnrichedEvent)
    read = decode_enriched(encode_enriched(made))
    assert isinstance(read, EnrichedEvent)
    return read


def click(**fields: Any) -> dict[str, Any]:
    return {"timestamp": NOW_MS, "userId": "user1", "ip": "81.2.69.142", "userAgent": "Browser/1"} | fields


def with_default_type(event: EnrichedEvent, written: EnrichedEvent) -> EnrichedEvent:
    """The event with `written`'s event type if that is the default, which only the fast path keeps when it is sent."""
    return msgspec.structs.replace(event, eventType="page_view") if written.eventType == "page_view" else event


texts = st.text(max_size=16)  # short enough for every field
clicks = st.fixed_dictionaries(
    {
        "timestamp": st.integers(NOW_MS - 10**11, NOW_MS),
        "userId": st.sampled_from(sorted(VISITORS)),
        "ip": st.none() | texts,
        "userAgent": st.none() | texts,
    },
    optional={
        "productId": st.none() | st.sampled_from(sorted(PRODUCTS)),
        "eventId": st.text(min_size=1, max_size=16),
        "eventType": texts.filter(bool),
        "url": texts | st.sampled_from(["/about", "https://shop.example/about?a=1", "/about/us", "/vase"]),
        "referrer": texts,
        "value": st.integers(1 - 10**18, 10**18 - 1).map(amount_text),
        "currency": st.from_regex(r"[A-Z]{3}", fullmatch=True),
        "quantity": st.integers(0, MOST_PIECES),
        "orderId": texts.filter(bool),
        "cost": st.integers(-(10**9), 10**9).map(amount_text),
        "platform": texts.filter(bool),
        "site": st.sampled_from(["shop.example", "localhost", "xn--mller-kva.example", "x" * 63]),
    },
)


@given(clicks, st.booleans(), st.sampled_from([None, 2]), st.sampled_from([EXPOSED, PRIVATE]))
def test_plain_click_takes_the_fast_path(
    fields: dict[str, Any], is_ascii: bool, indent: int | None, rules: Rules
) -> None:
    value = json.dumps(fields, ensure_ascii=is_ascii, indent=indent).encode()
    output = appended(value, rules=rules)
    assert output is not None
    assert (output.topic, output.key, output.headers) == ("enriched", fields["userId"].encode(), ())
    read = decode_enriched(output.value)
    assert isinstance(read, EnrichedEvent)
    assert read == with_default_type(enriched_slowly(value, rules=rules), read)
    assert set(json.loads(output.value)) >= set(EnrichedEvent.__struct_fields__[:13])


raw_clicks = st.fixed_dictionaries(
    {
        "timestamp": st.integers(NOW_MS - 10**11, NOW_MS) | st.just(NOW_MS // 1000) | st.just("2026-09-21T14:13:20Z"),
        "userId": st.sampled_from(sorted(VISITORS)),
    },
    optional={
        "productId": st.none() | st.just("") | st.sampled_from(sorted(PRODUCTS)),
        "ip": st.none() | texts,
        "userAgent": st.none() | texts,
        "original_timestamp": st.none() | st.integers(0, NOW_MS) | texts,
        "gender": st.none() | st.sampled_from(["F", "male", "u", "", "?"]),
        "age": st.none() | st.integers(-1, 200) | st.floats(allow_nan=False, allow_infinity=False),
        "eventId": st.none() | texts | st.integers(),
        "eventType": st.none() | texts | st.just("page_view"),
        "url": st.none() | texts,
        "referrer": st.none() | texts,
        "unknown": st.integers(),
        "value": st.none()
        | st.integers(-100, 100)
        | st.floats(-1e6, 1e6)
        | st.sampled_from(
            ["", "-0", "0", "007", "1.50", "1.5", "-3", "1e3", "1\n", " 2", "1000000000000", "0.0000001"]
        ),
        "currency": st.none() | st.just("") | st.sampled_from(["EUR", "usd", "EUR\n", "€"]),
        "quantity": st.none() | st.integers(-1, 3),
        "orderId": st.none() | st.just("") | texts | st.integers(),
        "cost": st.none() | st.just("7.50"),
        "platform": st.none() | texts,
        "site": st.none() | texts | st.sampled_from(["Shop.example", "www.shop.example", "shop.example\n", "a" * 254]),
    },
)

long_texts = st.builds(
    lambda character, length: character * length,
    st.sampled_from(["x", "a1", "\u00e4", "\u65e5", "\U0001d4b3", "\x00", "/", "https://ab.cd/?utm_a=", "@"]),
    st.sampled_from([1, 15, 16, 17, 63, 64, 65, 128, 256, 257, 511, 512, 513, 1024, 1025, 2048, 2049, 5000]),
)
long_clicks = st.fixed_dictionaries(
    {
        "timestamp": st.just(NOW_MS),
        "userId": st.sampled_from(sorted(VISITORS)),
        "ip": st.none() | st.ip_addresses().map(str) | long_texts,
        "userAgent": st.none() | long_texts,
    },
    optional={
        "eventId": texts,
        "eventType": long_texts,
        "url": long_texts,
        "referrer": long_texts,
    },
)


@settings(max_examples=500)
@given(clicks | raw_clicks | long_clicks, st.booleans(), st.sampled_from([EXPOSED, PRIVATE]))
def test_fast_path_and_enrich_agree_on_every_field_of_every_click(
    fields: dict[str, Any], is_ascii: bool, rules: Rules
) -> None:
    value = json.dumps(fields, ensure_ascii=is_ascii).encode()
    assume(len(value) <= MAX_EVENT_BYTES)
    output = appended(value, rules=rules)
    slow = enriched_slowly(value, rules=rules)
    if output is not None:
        fast = decode_enriched(output.value)
        assert isinstance(fast, EnrichedEvent)
        expected = with_default_type(slow, fast)
        for name in EnrichedEvent.__struct_fields__:
            assert (name, getattr(fast, name)) == (name, getattr(expected, name))


def test_field_table_has_the_fields_of_an_enriched_event_in_order() -> None:
    assert tuple(field.name for field in FIELDS) == EnrichedEvent.__struct_fields__


def test_appendix_is_not_reused_for_another_day_address_or_user_agent() -> None:
    visitor = visitor_of(b"F", b"1990-01-02")
    assert visitor is not None
    birthday_ms = 1_767_312_000_000  # 2 January 2026
    agents, addresses, instants = ("a", "b"), ("1.1.1.1", "2.2.2.2"), (birthday_ms - 1, birthday_ms)
    answers: dict[str | None, Agent] = {agent: Agent(f"device {agent}", f"browser {agent}") for agent in agents}
    by_ip: dict[str, dict[str | None, str]] = {
        country: {address: f"{country} {address}" for address in addresses} for country in ("France", "Peru")
    }
    clicks = [*product(by_ip, agents, addresses, instants)]
    for country, agent, address, timestamp_ms in chain(*product(clicks, clicks)):  # each after each
        value = json.dumps({"timestamp": timestamp_ms, "userId": "ada", "ip": address, "userAgent": agent}).encode()
        (output,), _ = append_answers([value], [NOW_MS], "enriched", {}, {"ada": visitor}, by_ip[country], answers)
        assert output is not None
        read = json.loads(NewRecord(*output).value)
        assert (read["country"], read["deviceType"]) == (f"{country} {address}", f"device {agent}")
        assert (read["browser"], read["operatingSystem"]) == (f"browser {agent}", "Other")
        assert read["age"] == (36 if timestamp_ms == birthday_ms else 35)


def test_appendix_is_reused_for_the_next_click() -> None:
    visitor, long = VisitorFacts(), "x" * 600
    agents: dict[str | None, Agent] = {"short": Agent("PC"), long: Agent("TV")}
    values = [json.dumps(click(userAgent=agent)).encode() for agent in ("short", "short", long, "short")]
    outputs, _ = append_answers(values, [NOW_MS] * 4, "enriched", {}, {"user1": visitor}, COUNTRIES, agents)
    assert [json.loads(output[2])["deviceType"] for output in outputs if output] == ["PC", "PC", "TV", "PC"]
    assert visitor.appendix.user_agent == "short"  # long ones are not remembered


@pytest.mark.parametrize(
    "fields",
    [
        {"gender": "F"},
        {"age": 7},
        {"original_timestamp": 1_700_000_000_000},
        {"unknown": 1},
        {"value": 19.99},
        {"value": "19.990"},
        {"value": "-0"},
        {"value": "12\n"},
        {"currency": "eur"},
        {"currency": "EUR\n"},
        {"quantity": -1},
        {"quantity": 1.0},
        {"orderId": 7},
        {"orderId": "x" * 257},
        {"cost": None},
        {"platform": ""},
        {"site": None},
        {"site": ""},
        {"site": "Shop.example"},
        {"site": "www.shop.example"},
        {"site": "shop.example\n"},
        {"site": "shop.example:443"},
        {"site": ".".join(["x" * 63] * 4)},
        {"country": "Atlantis"},
        {"timestamp": NOW_MS // 1000},
        {"timestamp": float(NOW_MS)},
        {"timestamp": "2026-11-22T10:30:00Z"},
        {"timestamp": NOW_MS + 60_001},
        {"userId": 7},
        {"userId": ""},
        {"userId": "nobody asked for"},
        {"productId": ""},
        {"productId": "not asked for"},
        {"eventType": ""},
        {"eventType": None},
        {"eventId": None},
        {"eventId": 5},
        {"eventId": ""},
        {"url": "x" * 2_049},
        {"userAgent": "\u00e4" * 1_024},
        {"eventType": "x" * 65},
        {"eventId": "x" * 257},
    ],
    ids=str,
)
def test_click_that_enriching_changes_or_refuses_takes_the_slow_path(fields: dict[str, Any]) -> None:
    assert appended(json.dumps(click(**fields)).encode()) is None


@pytest.mark.parametrize("value", [b"", b"{", b"[1]", b"\xff", b"null", json.dumps(click()).encode() + b" x"], ids=str)
def test_value_that_is_not_an_object_takes_the_slow_path(value: bytes) -> None:
    assert appended(value) is None


def test_returns_the_indexes_of_values_left_to_the_slow_path() -> None:
    plain = json.dumps(click()).encode()
    outputs, left = append_answers(
        [plain, b"nonsense", plain, plain],
        [NOW_MS, NOW_MS, NOW_MS, 0],
        "enriched",
        {},
        VISITORS,
        _Everything(),
        _EveryAgent(),
    )
    assert [output is None for output in outputs] == [False, True, False, True]
    assert left == [1, 3]


def test_fast_path_and_enrich_agree_on_mutated_clicks() -> None:
    kept = 0
    for value in islice(mutated_events(seed=5), 20_000):
        output = appended(value)
        if output is not None:
            kept += 1
            fast = decode_enriched(output.value)
            assert isinstance(fast, EnrichedEvent)
            assert fast == with_default_type(enriched_slowly(value), fast)
    assert kept > 200


def test_simulated_clicks_take_the_fast_path() -> None:
    clicks = list(islice(simulate(World(seed=1, rate=10, visitors=50), NOW_MS - 3_600_000), 100))
    values = [encode_raw(made) for made in clicks]
    products = {made.productId: NO_PRODUCT for made in clicks if made.productId}
    visitors = {made.userId: VisitorFacts() for made in clicks}
    _, left = append_answers(values, [NOW_MS] * 100, "enriched", products, visitors, _Everything(), _EveryAgent())
    assert left == []


def test_what_is_not_kept_is_nowhere_in_the_bytes() -> None:
    value = (
        b'{"timestamp": %d, "ip":"203.0.113.77", "\\u0069p" :"203.0.113.78", "url":"https://ada:pw@shop.example/?q=1",'
        b' "userId":"user1", "userAgent":"Browser/1", "url":"https://shop.example/u/ada%%40example.com",'
        b' "ip" : "203.0.113.79"}' % NOW_MS
    )
    output = appended(value, rules=PRIVATE)
    assert output is not None
    read = decode_enriched(output.value)
    assert isinstance(read, EnrichedEvent)
    assert (read.ip, read.url, read.birthdate) == ("203.0.113.0", "https://shop.example/u/[email]", None)
    assert not any(secret in output.value for secret in (b"113.77", b"113.78", b"ada", b"pw", b"2000-02-29"))
