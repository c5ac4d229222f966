"""Snowplow's tracker protocol."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.protocols import methods_of, refusal_of
from services.collect.protocols.snowplow import TP2
from services.collect.request import Rejected
from services.collect.sites import Site, Sites
from shared.events.collected import Refused
from tests.support.samples.json_values import json_values
from tests.unit.collect.protocols.received import ADDRESS, KEY, MOST, NOW_MS, SHOP, Reply, answered, asked, posted

ECOMMERCE: Final = "com.snowplowanalytics.snowplow.ecommerce"
URL: Final = "https://shop.example/p/7?utm_source=x"
VIEW: Final = {"e": "pv", "eid": "e-1", "url": URL, "refr": "https://search.example/", "p": "web", "duid": "d-1"}
SELF_DESCRIBING: Final = {k: v for k, v in VIEW.items() if k != "e"} | {"e": "ue"}
PRODUCTS: Final = [
    {"id": "7", "price": 19, "quantity": 1, "currency": "EUR"},
    {"id": "8", "price": 3.10, "quantity": 2, "currency": "EUR"},
]


def schema(name: str, vendor: str = "com.snowplowanalytics.snowplow", version: str = "1-0-0") -> str:
    return f"iglu:{vendor}/{name}/jsonschema/{version}"


def enveloped(events: object) -> dict[str, Any]:
    return {"schema": schema("payload_data", version="1-0-4"), "data": events}


def sent(*events: object, **options: Any) -> Reply:
    return posted(TP2, enveloped(events), **options)


def packed(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def described(name: str, data: object, vendor: str = "com.snowplowanalytics.snowplow") -> dict[str, Any]:
    inner = {"schema": schema(name, vendor), "data": data}
    return {"schema": schema("unstruct_event"), "data": inner}


def shopped(kind: str, *entities: tuple[str, Mapping[str, Any]], products: object = ()) -> Reply:
    """An event of the ecommerce plugin."""
    named = [*entities, *(("product", product) for product in products)]  # type: ignore[attr-defined]
    context = [{"schema": schema(name, ECOMMERCE), "data": data} for name, data in named]
    context.append({"schema": schema("web_page"), "data": {"id": "x"}})
    event = SELF_DESCRIBING | {
        "ue_px": packed(described("snowplow_ecommerce_action", {"type": kind}, ECOMMERCE)),
        "cx": packed({"schema": schema("contexts"), "data": context}),
    }
    return sent(event)


def test_a_page_view() -> None:
    reply = sent(VIEW, user_agent="Firefox")
    assert reply.fields == {
        "eventId": "e-1", "url": URL, "referrer": "https://search.example/", "platform": "web", "userAgent": "Firefox",
        "site": "shop.example",
    }  # fmt: skip
    assert (reply.click.timestamp, reply.click.ip) == (NOW_MS, ADDRESS)
    assert reply.answer == (200, b"ok", "text/plain; charset=utf-8", ())


@pytest.mark.parametrize("path", ["/i", TP2, "/com.acme/track"])
def test_a_pixel_has_the_same_fields(path: str) -> None:
    reply = asked(path, urlencode(VIEW), user_agent="Firefox")
    assert reply.judged == sent(VIEW, user_agent="Firefox").judged
    assert (reply.answer.status, reply.answer.content_type, reply.answer.body[:3]) == (200, "image/gif", b"GIF")


def test_a_pixel_without_a_page_has_the_referring_one() -> None:
    assert asked("/i", "e=pv", referer=URL).click.url == URL


def test_trackers_may_have_a_path_of_their_own() -> None:
    assert posted("/com.acme/track", enveloped([VIEW])).fields == sent(VIEW).fields
    for other in ("/acme/track", "/com.acme", "/com.acme/track/more", "/.well-known/x", "/com.acme/../x", "/"):
        assert methods_of(other) is None


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"dtm": "1795000000000", "stm": "1795000005250"}, NOW_MS - 5_250),
        ({"dtm": "631152000000", "stm": "631152005000"}, NOW_MS - 5_000),
        ({"dtm": 1_794_000_000_000, "stm": 1_794_000_001_000}, NOW_MS - 1_000),
        ({"dtm": "1795000005000", "stm": "1795000000000"}, NOW_MS),
        ({"dtm": "1795000000000"}, NOW_MS),
        ({"dtm": "then", "stm": "now"}, NOW_MS),
        ({"dtm": "1795000000000", "stm": "1795000005250", "ttm": "1794909600000"}, 1_794_909_600_000),
    ],
)
def test_the_clock_of_the_device_does_not_matter(times: dict[str, object], expected: int) -> None:
    assert sent(VIEW | times).click.timestamp == expected


def test_pings_are_not_counted() -> None:
    media = described("ping_event", {}, "com.snowplowanalytics.snowplow.media")
    reply = sent(VIEW | {"e": "pp"}, SELF_DESCRIBING | {"ue_pr": json.dumps(media)})
    assert reply.answer.body == b"ok"
    assert [mistake.reason for _, mistake in reply.judged.refused] == [Refused.NOT_COUNTED] * 2


def test_a_structured_event_is_its_action() -> None:
    event = VIEW | {"e": "se", "se_ca": "media", "se_ac": "play", "se_va": "30"}
    assert (sent(event).click.eventType, sent(event).click.value) == ("play", None)


@pytest.mark.parametrize("field", ["ue_pr", "ue_px"])
def test_a_self_describing_event_is_its_schema(field: str) -> None:
    event = described("link_click", {"targetUrl": "https://other.example/"})
    written = json.dumps(event) if field == "ue_pr" else packed(event)
    click = sent(SELF_DESCRIBING | {field: written}).click
    assert (click.eventType, click.url) == ("link_click", URL)
    assert asked("/i", urlencode(SELF_DESCRIBING | {field: written})).click == click


def test_base64_may_have_padding() -> None:
    written = packed(described("a", {})), packed(described("ab", {})), packed(described("abc", {}))
    for text in written:
        assert sent(SELF_DESCRIBING | {"ue_px": text + "=" * (-len(text) % 4)}).click == (
            sent(SELF_DESCRIBING | {"ue_px": text}).click
        )


def test_a_screen_has_its_name_for_a_page() -> None:
    view = described("screen_view", {"name": "My cart"})
    click = sent({"e": "ue", "p": "mob", "ue_pr": json.dumps(view)}).click
    assert (click.eventType, click.url, click.platform) == ("screen_view", "/My%20cart", "mob")


def test_a_cart_of_the_old_kind() -> None:
    cart = described("add_to_cart", {"sku": "S-7", "quantity": 2, "unitPrice": 19.99, "currency": "EUR"})
    click = sent(SELF_DESCRIBING | {"ue_pr": json.dumps(cart)}).click
    assert (click.eventType, click.productId, click.quantity, click.value) == ("add_to_cart", "S-7", 2, None)


@pytest.mark.parametrize("kind", ["product_view", "add_to_cart", "remove_from_cart", "list_click"])
def test_a_price_is_no_sale(kind: str) -> None:
    click = shopped(kind, ("cart", {"total_value": 19, "currency": "EUR"}), products=PRODUCTS[:1]).click
    assert (click.eventType, click.productId, click.quantity, click.value) == (kind, "7", 1, None)
    assert shopped(kind, products=PRODUCTS).click.productId is None


def test_a_transaction_counts_by_product_where_prices_add_up() -> None:
    sale = {"transaction_id": "1001", "revenue": 25.2, "currency": "eur", "payment_method": "card", "total_quantity": 3}
    clicks = shopped("transaction", ("transaction", sale), products=PRODUCTS).judged.clicks
    assert [(c.eventType, c.productId, c.quantity, c.value, c.currency, c.orderId, c.eventId) for c in clicks] == [
        ("purchase", "7", 1, "19", "EUR", "1001", "e-1"),
        ("purchase_line", "8", 2, "6.2", "EUR", "1001-2", "e-1:2"),
    ]
    whole = shopped("transaction", ("transaction", sale | {"revenue": 29.1}), products=PRODUCTS).click
    assert (whole.eventType, whole.productId, whole.value) == ("purchase", None, "29.1")


def test_a_refund_is_negative() -> None:
    refund = {"transaction_id": "1001", "refund_amount": 20, "currency": "EUR"}
    click = shopped("refund", ("refund", refund)).click
    assert (click.eventType, click.value, click.orderId) == ("refund", "-20", "1001")


def test_an_order_of_the_old_kind_counts_once() -> None:
    order = VIEW | {"e": "tr", "tr_id": "1001", "tr_tt": "25.20", "tr_cu": "EUR"}
    item = VIEW | {"e": "ti", "ti_id": "1001", "ti_sk": "7", "ti_pr": "19", "ti_qu": "1", "ti_cu": "EUR"}
    clicks = sent(order, item).judged.clicks
    assert [(c.eventType, c.productId, c.quantity, c.value, c.orderId) for c in clicks] == [
        ("purchase", None, None, "25.2", "1001"),
        ("purchase_line", "7", 1, None, "1001"),
    ]


def test_the_lines_of_orders_do_not_exceed_the_events_of_a_request() -> None:
    sale = {"transaction_id": "1001", "revenue": 25.2}
    event = shopped_event(sale)
    assert len(sent(*[event] * (MOST - 1)).judged.clicks) == MOST


def shopped_event(sale: Mapping[str, Any]) -> dict[str, Any]:
    entities = [("transaction", sale), *(("product", product) for product in PRODUCTS)]
    context = [{"schema": schema(name, ECOMMERCE), "data": data} for name, data in entities]
    return SELF_DESCRIBING | {
        "ue_pr": json.dumps(described("snowplow_ecommerce_action", {"type": "transaction"}, ECOMMERCE)),
        "co": json.dumps({"schema": schema("contexts"), "data": context}),
    }


def test_a_server_with_the_key_names_its_visitor() -> None:
    event = VIEW | {"uid": "u-1", "ip": "9.9.9.9", "ua": "Firefox"}
    known = sent(event, sites=SHOP, authorization=f"Bearer {KEY}", user_agent="python-requests").click
    assert (known.userId, known.ip, known.userAgent) == ("u-1", "9.9.9.9", "Firefox")
    assert sent(VIEW, sites=SHOP).click.userId == "d-1"
    unknown = sent(event, user_agent="python-requests").click
    assert (unknown.userId, unknown.ip, unknown.userAgent) == ("", ADDRESS, "python-requests")


def test_a_site_may_hide_addresses() -> None:
    hidden = sent(VIEW, sp_anonymous="*")
    assert hidden.click.ip is None
    assert hidden.judged.identities == sent(VIEW).judged.identities
    assert asked("/i", urlencode(VIEW), sp_anonymous="*").click.ip is None


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        (5, "not_an_object", ""), ({}, "missing_field", "e"), ({"e": "ad"}, "wrong_type", "e"),
        ({"e": []}, "wrong_type", "e"), ({"e": "se"}, "missing_field", "se_ac"),
        ({"e": "ue"}, "missing_field", "ue_pr"), ({"e": "ue", "ue_pr": "{"}, "not_json", "ue_pr"),
        ({"e": "ue", "ue_px": "é"}, "wrong_type", "ue_px"), ({"e": "ue", "ue_px": "a"}, "wrong_type", "ue_px"),
        ({"e": "ue", "ue_px": "!!!!"}, "wrong_type", "ue_px"), ({"e": "ue", "ue_pr": "[]"}, "wrong_type", "ue_pr"),
        ({"e": "ue", "ue_pr": '"\\ud800"'}, "not_json", "ue_pr"),
        ({"e": "ue", "ue_pr": json.dumps(described("x y", {}))}, "wrong_type", "ue_pr"),
        ({"e": "pv", "ttm": "never"}, "bad_timestamp", "timestamp"),
        ({"e": "tr", "tr_tt": "12,50"}, "wrong_type", "value"),
        (shopped_event({}) | {"co": None, "cx": "%"}, "wrong_type", "cx"),
        (shopped_event({}) | {"co": "[" * 100_000}, "too_deep", "co"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_names_reason_and_field(event: object, reason: str, field: str) -> None:
    reply = sent(VIEW, event)
    (place, mistake), = reply.judged.refused  # fmt: skip
    assert (place, mistake.reason, mistake.field) == (1, reason, field)
    assert (reply.answer.status, reply.said["accepted"]) == (400, 1)


def test_trackers_do_not_repeat_what_is_refused() -> None:
    for status in (413, 415):
        assert refusal_of(TP2, Rejected(status, "too_large", "")).status == 400
    assert refusal_of("/com.acme/track", Rejected(413, "too_large", "")).status == 400
    assert refusal_of("/i", Rejected(408, "too_slow", "")).status == 408
    unknown = asked("/i", urlencode(VIEW), sites=Sites([Site("other.example")]))
    assert (unknown.answer.status, unknown.answer.content_type) == (403, "image/gif")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "not_an_object"), ({}, "wrong_type"), ({"data": {}}, "wrong_type"), (b"", "not_json"),
        (enveloped([VIEW] * (MOST + 1)), "too_many_events"),
    ],
)  # fmt: skip
def test_other_bodies_are_refused(body: object, reason: str) -> None:
    with pytest.raises(Rejected) as rejection:
        posted(TP2, body)
    assert rejection.value.reason == reason


NAMES: Final = [
    *("eid", "uid", "duid", "url", "refr", "ip", "ua", "p", "dtm", "stm", "ttm", "se_ac", "tr_id", "tr_tt", "tr_cu"),
    *("ti_id", "ti_sk", "ti_qu"),
]
ENTITY_NAMES: Final = ["id", "price", "quantity", "refund_amount", "transaction_id"]
ENTITY: Final = st.fixed_dictionaries(
    {
        "schema": st.sampled_from(
            [schema(n, "com.snowplowanalytics.snowplow.ecommerce") for n in ("product", "refund")]
        )
        | json_values(),
        "data": json_values()
        | st.dictionaries(
            st.sampled_from(["id", "price", "quantity", "refund_amount", "transaction_id"]), json_values()
        ),
    }
)
CONTEXTS: Final = st.builds(
    lambda entities: {"schema": schema("contexts"), "data": entities}, st.lists(ENTITY, max_size=3) | json_values()
)
DESCRIBED: Final = st.builds(
    described,
    st.sampled_from(["snowplow_ecommerce_action", "add_to_cart", "screen_view", "other"]),
    json_values() | st.fixed_dictionaries({"type": st.sampled_from(["transaction", "refund"]) | json_values()}),
    st.sampled_from([ECOMMERCE, "x"]),
)
EVENTS: Final = json_values() | st.fixed_dictionaries(
    {"e": st.sampled_from(["pv", "pp", "se", "ue", "tr", "ti"]) | json_values()},
    optional={
        **{name: json_values() for name in NAMES},
        "ue_pr": DESCRIBED.map(json.dumps) | json_values(),
        "ue_px": DESCRIBED.map(packed) | json_values(),
        "co": CONTEXTS.map(json.dumps) | json_values(),
        "cx": CONTEXTS.map(packed) | json_values(),
    },
)


@given(st.lists(EVENTS, max_size=MOST) | json_values())
def test_whatever_a_request_holds_is_clicks_or_refused(events: object) -> None:
    assert answered(TP2, enveloped(events), SHOP, authorization=f"Bearer {KEY}").status in (200, 400)


@given(st.dictionaries(st.sampled_from(["e", "ue_px", "ue_pr", "cx", *NAMES]), st.text(max_size=30)), st.text())
def test_whatever_a_query_holds_is_a_click_or_refused(parameters: dict[str, str], more: str) -> None:
    query = urlencode(parameters, errors="replace") + "&" + more
    assert asked("/i", query, SHOP).answer.status in (200, 400, 403)
