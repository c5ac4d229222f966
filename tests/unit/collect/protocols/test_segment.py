"""Segment's HTTP API."""

import base64
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.answers import Outcome
from services.collect.clicks import Mistake
from services.collect.protocols import ROUTES, refusal_of
from services.collect.protocols.segment import MOST_BATCH_BYTES, MOST_EVENT_BYTES
from services.collect.request import Rejected, Request
from services.collect.sites import Site, Sites
from shared.events.collected import Refused
from tests.support.samples.json_values import json_values
from tests.unit.collect.protocols.received import ADDRESS, KEY, MOST, NOW_MS, SHOP, Reply, answered, posted

URL: Final = "https://shop.example/p/7?utm_source=x"
BROWSER: Final = {"page": {"url": URL, "referrer": "https://search.example/"}, "userAgent": "Firefox", "ip": "9.9.9.9"}
CALL: Final = {"messageId": "m-1", "anonymousId": "a-1", "context": BROWSER}
PRODUCTS: Final = [
    {"product_id": "507f", "sku": "45790-32", "price": 19, "quantity": 1},
    {"sku": "46493-32", "price": 3.10, "quantity": 2},
]
ORDER: Final = {"order_id": "1001", "total": 30.2, "revenue": 25.2, "currency": "usd", "products": PRODUCTS}
PUBLIC: Final = Sites([Site("shop.example", key=KEY, write_key="public"), Site("other.example", write_key="other")])


def basic(key: str) -> str:
    return f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"


def sent(kind: str, call: object, **options: Any) -> Reply:
    return posted(f"/v1/{kind}", call, **options)


def tracked(event: str, properties: object = None, **options: Any) -> Reply:
    return sent("track", CALL | {"event": event, "properties": properties}, **options)


def test_a_page_is_a_page_view() -> None:
    properties = {"url": "https://shop.example/second", "referrer": "https://shop.example/first", "title": "Second"}
    reply = sent("page", CALL | {"properties": properties}, user_agent="Chrome")
    assert reply.fields == {
        "eventId": "m-1", "userAgent": "Chrome", "url": "https://shop.example/second",
        "referrer": "https://shop.example/first", "site": "shop.example",
    }  # fmt: skip
    assert (reply.answer.status, reply.said) == (200, {"success": True})
    assert sent("page", CALL).click.url == URL


def test_an_event_has_the_page_it_happened_on() -> None:
    click = tracked("Signed Up", {"url": "https://shop.example/product", "plan": "pro"}).click
    assert (click.eventType, click.url, click.referrer) == ("Signed Up", URL, "https://search.example/")


def test_a_screen_has_its_name_for_a_page() -> None:
    click = sent("screen", {"name": "My cart", "messageId": "m"}).click
    assert (click.eventType, click.url) == ("screen_view", "/My%20cart")


@pytest.mark.parametrize("kind", ["track", "page", "screen", "identify", "group", "alias"])
def test_short_paths_mean_the_same(kind: str) -> None:
    call = CALL | {"event": "x"}
    assert sent(kind[0], call).judged == sent(kind, call).judged == sent("b", {"batch": [call | {"type": kind}]}).judged


@pytest.mark.parametrize("kind", ["identify", "group", "alias"])
def test_what_is_no_click_is_answered(kind: str) -> None:
    reply = sent(kind, CALL)
    assert (reply.answer.status, reply.said) == (200, {"success": True})
    assert [mistake.reason for _, mistake in reply.judged.refused] == [Refused.NOT_COUNTED]


def test_metrics_are_answered() -> None:
    reply = sent("m", b'{"series":[{"type":"Counter"}]}')
    assert (reply.said, reply.judged.clicks) == ({"success": True}, [])


@pytest.mark.parametrize(
    ("sent_at", "event_at", "expected"),
    [
        ("2026-11-18T10:00:05Z", "2026-11-18T10:00:00Z", NOW_MS - 5_000),
        ("1990-01-01T00:00:05.250Z", "1990-01-01T00:00:00Z", NOW_MS - 5_250),
        ("2026-11-18T11:00:00+01:00", "2026-11-17T10:00:00.000Z", NOW_MS - 86_400_000),
        ("2026-11-18T10:00:00Z", "2026-11-18T10:00:00.040Z", NOW_MS + 40),
        (None, "2026-11-17T10:00:00Z", 1_794_909_600_000),
        ("soon", "2026-11-17T10:00:00Z", 1_794_909_600_000),
        ("2026-11-18T10:00:05Z", None, NOW_MS),
    ],
)
def test_the_clock_of_the_sender_does_not_matter(sent_at: object, event_at: object, expected: int) -> None:
    assert sent("page", CALL | {"sentAt": sent_at, "timestamp": event_at}).click.timestamp == expected
    corrected = {"sentAt": sent_at, "originalTimestamp": event_at, "timestamp": event_at and "2001-01-01T00:00:00Z"}
    assert sent("page", CALL | corrected).click.timestamp == expected
    batch = {"sentAt": sent_at, "batch": [CALL | {"type": "page", "timestamp": event_at}]}
    assert sent("batch", batch).click.timestamp == expected


@pytest.mark.parametrize(
    ("event", "event_type"),
    [
        ("Product Viewed", "product_view"),
        ("Product Added", "add_to_cart"),
        ("Product Removed", "remove_from_cart"),
        ("Checkout Started", "begin_checkout"),
        ("Viewed Product", "product_view"),
    ],
)
def test_a_price_is_no_sale(event: str, event_type: str) -> None:
    click = tracked(event, {"product_id": 7, "sku": "S-7", "price": 19.99, "revenue": 19.99, "quantity": 2}).click
    assert (click.eventType, click.productId, click.quantity, click.value) == (event_type, "7", 2, None)


def test_an_event_about_several_products_has_none() -> None:
    assert tracked("Product List Viewed", {"products": PRODUCTS}).click.productId is None
    assert tracked("Product List Viewed", {"products": PRODUCTS[1:]}).click.productId == "46493-32"


def test_an_order_counts_by_product_where_prices_add_up() -> None:
    clicks = tracked("Order Completed", ORDER).judged.clicks
    assert [(c.eventType, c.productId, c.quantity, c.value, c.currency, c.orderId, c.eventId) for c in clicks] == [
        ("purchase", "507f", 1, "19", "USD", "1001", "m-1"),
        ("purchase_line", "46493-32", 2, "6.2", "USD", "1001-2", "m-1:2"),
    ]
    whole = tracked("Order Completed", ORDER | {"revenue": None}).click
    assert (whole.productId, whole.quantity, whole.value) == (None, 3, "30.2")


def test_a_refund_is_negative() -> None:
    click = tracked("Order Refunded", {"order_id": 1001, "total": 30, "currency": "USD"}).click
    assert (click.eventType, click.value, click.orderId) == ("refund", "-30", "1001")
    lines = tracked("Order Refunded", ORDER | {"total": None}).judged.clicks
    assert [(line.eventType, line.value) for line in lines] == [("refund", "-19"), ("refund_line", "-6.2")]


def test_revenue_of_any_other_event_is_a_sale() -> None:
    click = tracked("Subscription Renewed", {"revenue": 9.9, "currency": "EUR", "order_id": "s-1"}).click
    assert (click.value, click.currency, click.orderId) == ("9.9", "EUR", "s-1")
    assert tracked("Order Cancelled", {"revenue": 9.9}).click.value is None


def test_a_sale_that_cannot_be_read_is_refused() -> None:
    reply = tracked("Order Completed", {"revenue": "12,50"})
    assert reply.answer.status == 400
    assert (reply.said["success"], reply.said["code"], reply.said["field"]) == (False, "wrong_type", "value")


def test_the_lines_of_orders_do_not_exceed_the_events_of_a_request() -> None:
    order = CALL | {"type": "track", "event": "Order Completed", "properties": ORDER}
    reply = sent("batch", {"batch": [order] * (MOST - 1)})
    assert len(reply.judged.clicks) == MOST
    assert sent("batch", {"batch": [order] * MOST}).judged.clicks[0].value == "25.2"


def test_a_server_with_the_key_names_its_visitor() -> None:
    for options in ({"authorization": basic(KEY)}, {"writeKey": KEY}):
        key = {"writeKey": options.pop("writeKey", None)}
        click = sent("page", CALL | key, sites=SHOP, user_agent="analytics-python/2", **options).click
        assert (click.userId, click.ip, click.userAgent) == ("a-1", "9.9.9.9", "Firefox")
    known = sent("page", CALL | {"userId": "u-1"}, sites=SHOP, authorization=basic(KEY)).click
    assert known.userId == "u-1"
    bare = sent("page", {"userId": "u-1"}, sites=SHOP, user_agent="analytics-python/2", authorization=basic(KEY)).click
    assert (bare.userId, bare.ip, bare.userAgent) == ("u-1", None, None)


def test_a_key_that_pages_show_names_only_the_site() -> None:
    page = {"origin": "https://shop.example", "authorization": basic("public"), "user_agent": "Chrome"}
    click = sent("page", CALL, sites=PUBLIC, **page).click
    assert (click.site, click.userId, click.ip, click.userAgent) == ("shop.example", "", ADDRESS, "Chrome")
    foreign = sent("page", CALL, sites=PUBLIC, **page | {"authorization": basic("other")})
    assert (foreign.answer.status, foreign.said["code"]) == (403, "foreign_origin")


def test_another_key_is_refused_unless_every_site_is_accepted() -> None:
    reply = sent("page", CALL, sites=SHOP, authorization=basic("another"))
    assert (reply.answer.status, reply.said["code"]) == (401, "wrong_key")
    assert sent("page", CALL, authorization=basic("another")).click.userId == ""


@pytest.mark.parametrize("written", ["Basic", "Basic %%%", "Basic " + base64.b64encode(b"\xff").decode(), "Bearer x"])
def test_an_unreadable_authorization_is_none(written: str) -> None:
    assert sent("page", CALL | {"writeKey": KEY}, sites=SHOP, authorization=written).click.site == "shop.example"


def test_an_event_above_32_kb_is_refused() -> None:
    def page(size: int) -> dict[str, Any]:
        empty = len(json.dumps(CALL | {"type": "page", "x": ""}))
        return CALL | {"type": "page", "x": "x" * (size - empty)}

    assert sent("page", page(MOST_EVENT_BYTES)).click.url == URL
    assert sent("page", page(MOST_EVENT_BYTES + 1)).answer.status == 400
    mixed = sent("batch", {"batch": [page(900), page(MOST_EVENT_BYTES), page(MOST_EVENT_BYTES + 1)]})
    assert (mixed.answer.status, mixed.said["code"], mixed.said["accepted"]) == (400, "too_large", 2)
    assert [place for place, _ in mixed.judged.refused] == [2]


def test_a_batch_above_500_kb_is_refused() -> None:
    with pytest.raises(Rejected) as rejection:
        sent("batch", b"{" + b" " * MOST_BATCH_BYTES + b"}")
    answer = refusal_of("/v1/batch", rejection.value)
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "too_large")
    assert refusal_of("/v1/b", Rejected(413, "too_large", "")).status == 400


def test_a_limit_asks_for_the_whole_batch_again() -> None:
    request = Request("POST", "/v1/batch", "", {}, b'{"batch":[]}', ADDRESS, NOW_MS)
    received = ROUTES["/v1/batch"]["POST"](request, MOST)
    mistakes = [(0, Mistake("wrong_type", "value", "")), (2, Mistake(Refused.RATE_LIMITED, "site", ""))]
    assert received.answer(Outcome(1, mistakes)).status == 429


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "not_an_object"), ({}, "wrong_type"), ({"batch": {}}, "wrong_type"), (b"{", "not_json"),
        ({"batch": [{}] * (MOST + 1)}, "too_many_events"),
        (b'{"batch":1,"batch":[' + b" " * MOST_EVENT_BYTES + b"]}", "wrong_type"),
    ],
)  # fmt: skip
def test_other_batches_are_refused(body: object, reason: str) -> None:
    with pytest.raises(Rejected) as rejection:
        sent("batch", body)
    assert rejection.value.reason == reason


@pytest.mark.parametrize(
    ("call", "reason", "field"),
    [
        (5, "not_an_object", ""), ({}, "missing_field", "type"), ({"type": "other"}, "wrong_type", "type"),
        ({"type": []}, "wrong_type", "type"), ({"type": "track"}, "missing_field", "event"),
        ({"type": "track", "event": " "}, "missing_field", "event"),
        ({"type": "page", "timestamp": "never"}, "bad_timestamp", "timestamp"),
        ({"type": "page", "messageId": "x" * 257}, "too_long", "eventId"),
    ],
)  # fmt: skip
def test_a_mistake_names_reason_and_field(call: object, reason: str, field: str) -> None:
    reply = sent("batch", {"batch": [CALL | {"type": "page"}, call]})
    (place, mistake), = reply.judged.refused  # fmt: skip
    assert (place, mistake.reason, mistake.field) == (1, reason, field)
    assert (reply.answer.status, reply.said["accepted"]) == (400, 1)


def test_no_call_is_a_success() -> None:
    assert sent("batch", {"batch": []}).said == {"success": True}


NAMES: Final = [
    *("type", "event", "name", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt"),
    *("writeKey", "context", "properties"),
]
CONTEXTS: Final = st.dictionaries(
    st.sampled_from(["page", "ip", "userAgent"]),
    json_values() | st.dictionaries(st.sampled_from(["url", "referrer"]), json_values()),
)
PRODUCT: Final = st.dictionaries(st.sampled_from(["product_id", "sku", "price", "quantity"]), json_values())
PROPERTIES: Final = st.dictionaries(
    st.sampled_from(["product_id", "price", "quantity", "revenue", "total", "currency", "order_id", "url", "products"]),
    json_values() | st.lists(PRODUCT | json_values(), max_size=3),
)
EVENTS: Final = st.sampled_from(["Order Completed", "Order Refunded", "Product Added", "Signup"])
CALLS: Final = json_values() | st.fixed_dictionaries(
    {},
    optional={
        **{name: json_values() for name in NAMES},
        "type": st.sampled_from(["track", "page", "screen", "identify"]) | json_values(),
        "event": EVENTS | json_values(),
        "context": CONTEXTS | json_values(),
        "properties": PROPERTIES | json_values(),
    },
)


@given(st.sampled_from([path for path in ROUTES if path.startswith("/v1/") and "POST" in ROUTES[path]]), CALLS)
def test_whatever_one_call_holds_is_a_click_or_refused(path: str, call: object) -> None:
    for sites in (SHOP, PUBLIC):
        assert answered(path, call, sites, authorization=basic(KEY)).status in (200, 202, 400, 403)


@given(st.lists(CALLS, max_size=MOST) | json_values(), json_values())
def test_whatever_a_batch_holds_is_clicks_or_refused(calls: object, sent_at: object) -> None:
    batch = {"batch": calls, "sentAt": sent_at, "writeKey": KEY}
    assert answered("/v1/batch", batch, SHOP).status in (200, 400)
