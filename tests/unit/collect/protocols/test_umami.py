"""Umami's protocol."""

import json
from typing import Any, Final
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.request import Rejected
from shared.events.collected import Refused
from tests.support.samples.json_values import json_values
from tests.unit.collect.protocols.received import ADDRESS, KEY, MOST, NOW_MS, OPEN, SHOP, Reply, posted

WEBSITE: Final = "b59e9c65-ae32-47f1-8400-119fcf4861c4"
PAGE: Final = {"website": WEBSITE, "hostname": "shop.example", "url": "/p/7?utm_source=x"}
NAMES: Final = [*PAGE, "referrer", "title", "name", "data", "id", "tag", "timestamp", "ip", "userAgent", "link"]
DATA: Final = ["product_id", "sku", "order_id", "quantity", "revenue", "currency"]


def message(kind: object = "event", **fields: object) -> dict[str, Any]:
    return {"type": kind, "payload": PAGE | fields}


def sent(said: object, **options: Any) -> Reply:
    return posted("/api/send", said, **options)


def batch(said: object, **options: Any) -> Reply:
    return posted("/api/batch", said, **options)


def test_an_event_without_a_name_is_a_page_view() -> None:
    reply = sent(
        message(referrer="https://search.example/", title="Tea", language="en-US", screen="1920x1080", tag="a")
    )
    assert reply.fields == {
        "url": "https://shop.example/p/7?utm_source=x", "referrer": "https://search.example/", "site": "shop.example",
    }  # fmt: skip
    assert reply.click.timestamp == NOW_MS


def test_the_answer_is_what_clients_expect() -> None:
    reply = sent(message())
    assert reply.answer.status == 200
    assert set(reply.said) == {"cache", "sessionId", "visitId"}
    assert UUID(reply.said["sessionId"])
    assert sent(message(), x_umami_cache=reply.said["cache"]).answer == reply.answer


def test_data_of_a_sale_are_fields() -> None:
    data = {"revenue": 19.99, "currency": "eur", "product_id": "p7", "orderId": 1001, "quantity": 2, "colour": "red"}
    click = sent(message(name="checkout-cart", data=data)).click
    assert (click.eventType, click.value, click.currency) == ("checkout-cart", "19.99", "EUR")
    assert (click.productId, click.orderId, click.quantity) == ("p7", "1001", 2)


@pytest.mark.parametrize("data", [None, [], "x", 5, {}, {"revenue": None}, {"revenue": ""}, {"currency": 5}])
def test_data_without_revenue_is_no_sale(data: object) -> None:
    assert sent(message(name="Signup", data=data)).fields == sent(message(name="Signup")).fields


@pytest.mark.parametrize("revenue", ["free", True, [1], {"amount": 1}, "1e400"])
def test_a_sale_that_cannot_be_read_is_refused(revenue: object) -> None:
    reply = sent(message(name="purchase", data={"revenue": revenue, "currency": "EUR"}))
    assert reply.answer.status == 400
    assert reply.said["error"]["field"] == "data.revenue"


def test_seconds_are_the_time() -> None:
    assert sent(message(timestamp=1_794_999_000)).click.timestamp == 1_794_999_000_000
    assert sent(message(timestamp="1794999000")).click.timestamp == 1_794_999_000_000


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("/cart", "https://shop.example/cart"),
        ("cart?a=1", "https://shop.example/cart?a=1"),
        ("https://shop.example/cart", "https://shop.example/cart"),
        ("", None),
        (None, None),
        ("//[", "//["),
    ],
)
def test_a_path_is_a_page_of_its_host(url: object, address: str | None) -> None:
    click = sent(message(url=url, referrer=url)).click
    assert (click.url, click.referrer) == (address, address)


@pytest.mark.parametrize(
    ("fields", "site"),
    [
        ({}, "shop.example"),
        ({"hostname": "www.shop.example"}, "shop.example"),
        ({"hostname": "preview.example", "website": "shop.example"}, "shop.example"),
        ({"hostname": None, "website": "shop.example"}, "shop.example"),
        ({"hostname": "", "website": "shop.example"}, "shop.example"),
        ({"hostname": 5, "website": [], "url": "https://shop.example/"}, "shop.example"),
    ],
)
def test_the_host_or_else_the_website_is_the_site(fields: dict[str, Any], site: str) -> None:
    assert sent(message(**fields), sites=SHOP).click.site == site


def test_an_unknown_website_is_refused() -> None:
    reply = sent(message(hostname="other.example"), sites=SHOP)
    assert reply.answer.status == reply.said["error"]["status"] == 403
    assert reply.said["error"]["code"] == "unknown_site"


def test_an_id_is_the_visitor_where_the_site_allows_it() -> None:
    assert sent(message(id="u1"), sites=SHOP).click.userId == "u1"
    assert sent(message(id="u1"), sites=OPEN).click.userId == ""


def test_a_server_with_the_key_names_its_visitor() -> None:
    known = message(ip="198.51.100.9", userAgent="Firefox")
    click = sent(known, sites=SHOP, authorization=f"Bearer {KEY}").click
    assert (click.ip, click.userAgent) == ("198.51.100.9", "Firefox")
    assert sent(known, sites=SHOP, authorization="Bearer None").click.ip == ADDRESS
    assert sent(known, sites=SHOP, authorization="Bearer another").answer.status == 401


@pytest.mark.parametrize("kind", ["identify", "performance"])
def test_other_types_are_answered_and_not_counted(kind: str) -> None:
    reply = sent(message(kind, data={"plan": "pro"}, lcp=2))
    assert [mistake.reason for _, mistake in reply.judged.refused] == [Refused.NOT_COUNTED]
    assert reply.answer == sent(message()).answer


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        (message("click"), "type", "wrong_type"),
        (message(["event"]), "type", "wrong_type"),
        ({"payload": PAGE}, "type", "wrong_type"),
        ({"type": "event"}, "payload", "wrong_type"),
        (message(name=5), "name", "wrong_type"),
        (message(url=5), "url", "wrong_type"),
        (message(timestamp="soon"), "timestamp", "bad_timestamp"),
        (message(id="x" * 300), "id", "too_long"),
        (message(data={"sku": "x" * 300}), "data", "too_long"),
        ([], "", "not_an_object"),
        (b"{", "", "not_json"),
        (b"\xff", "", "not_utf8"),
    ],
)
def test_mistakes_name_their_field(said: object, field: str, reason: str) -> None:
    reply = sent(said)
    assert reply.answer.status == 400
    assert (reply.said["error"]["field"], reply.said["error"]["code"]) == (field, reason)
    assert reply.said["error"]["message"]


def test_a_batch_is_answered_message_by_message() -> None:
    reply = batch([message(), message("identify"), message("click"), 5, message(name="Signup")])
    assert [click.eventType for click in reply.judged.clicks] == ["page_view", "Signup"]
    assert reply.answer.status == 200
    details = reply.said["details"]
    assert [detail["index"] for detail in details] == [2, 3]
    assert all(detail["response"]["error"]["message"] for detail in details)
    assert reply.said == {"size": 5, "processed": 3, "errors": 2, "details": details, "cache": "clickpulse"}


def test_a_batch_of_mistakes_is_refused() -> None:
    assert batch([message("click"), 5]).answer.status == 400
    assert batch({"type": "event"}).answer.status == 400
    assert batch(b"[").answer.status == 400
    assert batch([]).said["size"] == 0


def test_a_large_batch_is_refused_as_a_whole() -> None:
    with pytest.raises(Rejected) as refusal:
        batch([message()] * (MOST + 1))
    assert refusal.value.status == 413


def payloads() -> st.SearchStrategy[dict[str, Any]]:
    values = json_values() | st.dictionaries(st.sampled_from(DATA), json_values())
    return st.dictionaries(st.sampled_from(NAMES), values)


@given(payloads(), json_values())
def test_any_message_is_a_click_or_refused(payload: dict[str, Any], kind: object) -> None:
    for said in ({"type": "event", "payload": payload}, {"type": kind, "payload": payload}, payload):
        reply = sent(said, sites=SHOP)
        assert reply.answer.status in (200, 400, 403)
        assert batch([said, said], sites=SHOP).answer.status == reply.answer.status


@given(payloads())
def test_what_a_page_sends_is_a_click_unless_a_field_is_wrong(payload: dict[str, Any]) -> None:
    reply = sent({"type": "event", "payload": payload | {"hostname": "shop.example"}}, sites=SHOP)
    assert reply.judged.clicks or reply.said["error"]["field"]


@given(st.binary() | json_values().map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(body: bytes) -> None:
    assert sent(body).answer.status == 400
    assert batch(body).answer.status in (200, 400)
