"""Plausible's Events API."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.sites import Site, Sites
from shared.events.collected import Refused
from tests.support.samples.json_values import json_values
from tests.unit.collect.protocols.received import ADDRESS, KEY, NOW_MS, SHOP, Reply, posted

PAGE: Final = {"n": "pageview", "u": "https://shop.example/p/7?utm_source=x#top", "d": "shop.example"}
NAMES: Final = [*"nudrpmhvi$e", "name", "url", "domain", "referrer", "props", "meta", "revenue", "hashMode", "sd"]
PROPS: Final = ["product_id", "sku", "order_id", "quantity", "amount", "currency"]


def sent(event: object, **options: Any) -> Reply:
    return posted("/api/event", event, **options)


def test_a_pageview_is_a_page_view() -> None:
    reply = sent(PAGE | {"r": "https://search.example/", "v": 36, "w": 1200, "h": 0}, user_agent="Firefox")
    assert reply.fields == {
        "url": PAGE["u"], "referrer": "https://search.example/", "site": "shop.example", "userAgent": "Firefox",
    }  # fmt: skip
    assert reply.click.timestamp == NOW_MS
    assert reply.click.ip == ADDRESS
    assert reply.answer == (202, b"ok", "text/plain; charset=utf-8", ())


def test_long_names_mean_the_same() -> None:
    long = {"name": "pageview", "url": PAGE["u"], "domain": "shop.example", "referrer": "https://search.example/"}
    assert sent(long).fields == sent(PAGE | {"r": "https://search.example/"}).fields


@pytest.mark.parametrize("field", ["m", "meta", "p", "props"])
@pytest.mark.parametrize("written", [dict, json.dumps], ids=["object", "text"])
def test_properties_of_a_sale_are_fields(field: str, written: Any) -> None:
    props = {"product_id": 7, "order_id": "1001", "quantity": "2", "colour": "red", "sizes": ["S"]}
    click = sent(PAGE | {"n": "Purchase", field: written(props)}).click
    assert (click.eventType, click.productId, click.orderId, click.quantity) == ("purchase", "7", "1001", 2)


@pytest.mark.parametrize("field", ["$", "revenue"])
@pytest.mark.parametrize("written", [dict, json.dumps], ids=["object", "text"])
@pytest.mark.parametrize("amount", ["1322.22", 1322.22])
def test_revenue_is_the_value(field: str, written: Any, amount: object) -> None:
    click = sent(PAGE | {"n": "Purchase", field: written({"amount": amount, "currency": "eur"})}).click
    assert (click.value, click.currency) == ("1322.22", "EUR")


@pytest.mark.parametrize("revenue", [None, {}, "", False])
def test_no_revenue_is_no_sale(revenue: object) -> None:
    assert sent(PAGE | {"$": revenue}).click.value is None


@pytest.mark.parametrize(
    "revenue",
    [19.99, "19.99", "{", [1], {"currency": "EUR"}, {"amount": None}, {"amount": "12,50", "currency": "EUR"},
     {"amount": True, "currency": "EUR"}, {"amount": 1, "currency": 978}],
)  # fmt: skip
def test_a_sale_that_cannot_be_read_is_refused(revenue: object) -> None:
    reply = sent(PAGE | {"n": "Purchase", "$": revenue})
    assert reply.answer.status == 400
    assert list(reply.said["errors"]) == ["revenue"]


@pytest.mark.parametrize("props", [None, 5, "x", "[]", [], {"quantity": "many", "sku": None, "order_id": [1]}])
def test_other_properties_are_ignored(props: object) -> None:
    assert sent(PAGE | {"p": props}).fields == sent(PAGE).fields


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        (PAGE | {"n": None}, "name", "missing_field"),
        (PAGE | {"n": " "}, "name", "missing_field"),
        (PAGE | {"n": ["pageview"]}, "name", "missing_field"),
        (PAGE | {"u": None}, "url", "missing_field"),
        (PAGE | {"u": 5}, "url", "missing_field"),
        (PAGE | {"p": {"sku": "x" * 300}}, "props", "too_long"),
        ([PAGE], "request", "not_an_object"),
        (b"", "request", "not_json"),
        (b"\xff", "request", "not_utf8"),
        (b"[" * 5000, "request", "too_deep"),
    ],
)
def test_mistakes_name_their_field(event: object, field: str, reason: str) -> None:
    reply = sent(event)
    assert reply.answer.status == 400
    assert reply.said["error"] == reason
    assert reply.said["errors"][field][0]


def test_a_number_is_a_name() -> None:
    assert sent(PAGE | {"n": 404}).click.eventType == "404"


def test_a_heartbeat_is_answered_and_not_counted() -> None:
    reply = sent({"n": "engagement", "sd": 40, "e": 3000, "u": PAGE["u"], "d": "shop.example", "v": 36})
    assert [mistake.reason for _, mistake in reply.judged.refused] == [Refused.NOT_COUNTED]
    assert reply.answer[:2] == (202, b"ok")


@pytest.mark.parametrize("mode", [{"h": 1}, {"hashMode": "1"}])
@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://shop.example/#/cart", "https://shop.example/cart"),
        ("https://shop.example/app/?a=1#!/cart?b=2", "https://shop.example/app/cart?a=1&b=2"),
        ("https://shop.example/", "https://shop.example/"),
        ("https://shop.example#", "https://shop.example"),
    ],
)
def test_a_route_in_the_fragment_is_a_page(mode: dict[str, Any], url: str, page: str) -> None:
    assert sent(PAGE | {"u": url} | mode).click.url == page


@pytest.mark.parametrize(
    ("domains", "site"),
    [
        ("b.example,shop.example", "shop.example"),
        (" b.example , www.shop.example", "shop.example"),
        ("shop.example,a.example", "shop.example"),
        ("my app,shop.example", "shop.example"),
        (None, "shop.example"),
        (5, "shop.example"),
        ("my app", "shop.example"),
        ("," * 100_000, "shop.example"),
    ],
)
def test_the_first_domain_that_is_a_known_site_counts(domains: object, site: str) -> None:
    assert sent(PAGE | {"d": domains}, sites=SHOP).click.site == site


def test_without_sites_the_first_domain_counts() -> None:
    assert sent(PAGE | {"d": "b.example,shop.example"}).click.site == "b.example"


def test_unknown_domains_are_refused() -> None:
    reply = sent(PAGE | {"d": "a.example,b.example"}, sites=SHOP)
    assert reply.answer.status == 403
    assert reply.said == {"error": "unknown_site", "errors": {"domain": ["a.example is not in SITES_FILE"]}}


def test_a_server_with_the_key_names_its_visitor() -> None:
    known = {"user_agent": "Firefox", "x_forwarded_for": "198.51.100.9, 10.0.0.1", "authorization": f"Bearer {KEY}"}
    click = sent(PAGE, sites=SHOP, **known).click
    assert (click.ip, click.userAgent) == ("198.51.100.9", "Firefox")
    itself = sent(PAGE, sites=SHOP, **known | {"x_forwarded_for": ADDRESS}).click  # its proxy wrote it
    assert (itself.ip, itself.userAgent) == (None, None)
    assert sent(PAGE, sites=SHOP, x_forwarded_for="198.51.100.9").click.ip == ADDRESS
    unknown = sent(PAGE, sites=SHOP, user_agent="php", authorization=f"Bearer {KEY}").click
    assert (unknown.ip, unknown.userAgent) == (None, None)
    page = sent(PAGE, sites=SHOP, origin="https://shop.example", authorization=f"Bearer {KEY}").click
    assert page.ip == ADDRESS
    stranger = sent(PAGE, sites=Sites([Site("shop.example")]), authorization="Bearer x", x_forwarded_for="198.51.100.9")
    assert stranger.answer.status == 401


def test_a_stranger_with_a_header_is_nobody_else() -> None:
    """Without SITES_FILE no key is known, so none says whose click it is."""
    reply = sent(PAGE, authorization="Bearer x", x_forwarded_for="198.51.100.9")
    assert reply.click.ip == ADDRESS


@given(st.dictionaries(st.sampled_from(NAMES), json_values() | st.dictionaries(st.sampled_from(PROPS), json_values())))
def test_any_event_is_a_click_or_refused(event: dict[str, Any]) -> None:
    reply = sent(event, sites=SHOP)
    assert reply.answer.status in (202, 400, 403)
    assert (reply.answer.status == 202) == (not reply.judged.refused or _is_heartbeat(reply))


@given(st.dictionaries(st.sampled_from(NAMES), json_values() | st.dictionaries(st.sampled_from(PROPS), json_values())))
def test_any_event_with_a_name_and_a_page_is_a_click_or_refused(event: dict[str, Any]) -> None:
    reply = sent(event | {"n": "Purchase", "u": PAGE["u"], "d": "shop.example"}, sites=SHOP)
    assert reply.judged.clicks or list(reply.said["errors"]) in (["revenue"], ["props"])


@given(st.binary() | json_values().map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(body: bytes) -> None:
    assert sent(body).answer.status == 400


def _is_heartbeat(reply: Reply) -> bool:
    return [mistake.reason for _, mistake in reply.judged.refused] == [Refused.NOT_COUNTED]
