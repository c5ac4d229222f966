"""Orders: their revenue counts once, by product where the products' prices add up."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.clicks import JsonNumber
from services.collect.protocols.sales import Product, refunded, sold, whole_number
from tests.support.samples.json_values import json_values

ORDER: Final = {"eventId": "e", "orderId": "1001", "currency": "EUR"}
GAME, CARDS = Product("game", 19, 1), Product("cards", JsonNumber("3.10"), "2")


def figures(clicks: list[Any]) -> list[tuple[object, ...]]:
    return [
        tuple(click.get(name) for name in ("eventType", "productId", "quantity", "value", "eventId", "orderId"))
        for click in clicks
    ]


def test_an_order_of_one_product_is_a_click_with_all_its_value() -> None:
    assert figures(sold(ORDER, [GAME], JsonNumber("25.50"), 10)) == [("purchase", "game", 1, "25.5", "e", "1001")]


def test_an_order_whose_prices_add_up_is_a_click_for_each_product() -> None:
    clicks = sold(ORDER, [GAME, CARDS], JsonNumber("25.20"), 10)
    assert figures(clicks) == [
        ("purchase", "game", 1, "19", "e", "1001"),
        ("purchase_line", "cards", 2, "6.2", "e:2", "1001-2"),
    ]
    assert all(click["currency"] == "EUR" for click in clicks)


def test_another_order_is_one_click_without_a_product() -> None:
    assert figures(sold(ORDER, [GAME, CARDS], 27, 10)) == [("purchase", None, 3, "27", "e", "1001")]


def test_without_a_value_an_order_is_worth_its_products() -> None:
    assert [click["value"] for click in sold(ORDER, [GAME, CARDS], None, 10)] == ["19", "6.2"]
    assert figures(sold(ORDER, [GAME, Product("gift")], None, 10)) == [("purchase", None, None, None, "e", "1001")]
    assert figures(sold(ORDER, [], None, 10)) == [("purchase", None, None, None, "e", "1001")]


@pytest.mark.parametrize("value", [JsonNumber("25.20"), JsonNumber("-25.20")])
def test_a_refund_is_negative_with_and_without_a_sign(value: JsonNumber) -> None:
    assert figures(refunded(ORDER, [GAME, CARDS], value, 10)) == [
        ("refund", "game", 1, "-19", "e", "1001"),
        ("refund_line", "cards", 2, "-6.2", "e:2", "1001-2"),
    ]
    assert figures(refunded(ORDER, [], value, 10)) == [("refund", None, None, "-25.2", "e", "1001")]


def test_what_is_no_amount_is_left_for_the_mistake_that_it_is() -> None:
    assert sold(ORDER, [GAME], "a lot", 10)[0]["value"] == "a lot"


@pytest.mark.parametrize(
    "change",
    [
        {"products": [GAME, Product("cards", None, 2)]},
        {"products": [GAME, Product("cards", "3.10", "two")]},
        {"products": [GAME, Product("cards", "3.10", JsonNumber("2.5"))]},
        {"products": [GAME, Product(None, "3.10", 2)]},
        {"products": [GAME, Product({}, "3.10", 2)]},
        {"products": [GAME, Product("cards", "-6.20", 1)]},
        {"most": 1},
        {"event": ORDER | {"orderId": "x" * 200}},
        {"event": ORDER | {"eventId": []}},
    ],
)
def test_an_order_that_cannot_be_divided_stays_in_one_piece(change: dict[str, Any]) -> None:
    order: dict[str, Any] = {"event": ORDER, "products": [GAME, CARDS], "value": JsonNumber("25.20"), "most": 10}
    (click,) = sold(**order | change)
    assert (click["eventType"], click["value"]) == ("purchase", "25.2")


def test_a_number_of_pieces_is_whole() -> None:
    assert [whole_number(value) for value in (0, "3", JsonNumber("2.0"), 10**9)] == [0, 3, 2, 10**9]
    no_numbers: list[object] = [-1, "2.5", True, None, [], "x", 10**9 + 1, 10**300]
    assert [whole_number(value) for value in no_numbers] == [None] * len(no_numbers)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 1000)), max_size=8), st.none() | st.integers(-5, 10**13)
)
def test_revenue_counts_once(lines: list[tuple[int, int]], cents: int | None) -> None:
    products = [Product(f"p{n}", f"{Decimal(price) / 100}", pieces) for n, (price, pieces) in enumerate(lines)]
    total = sum(price * pieces for price, pieces in lines)
    worth = total if cents is None else cents
    for value in (JsonNumber(f"{Decimal(worth) / 100}"), None if worth == total and products else worth // 100):
        clicks = sold(ORDER, products, value, 10)
        expected = Decimal(worth) / 100 if isinstance(value, JsonNumber) or value is None else Decimal(value)
        assert sum(Decimal(click["value"]) for click in clicks) == expected
        assert len({click["eventId"] for click in clicks}) == len({click["orderId"] for click in clicks}) == len(clicks)


products = st.builds(Product, json_values(), json_values(), json_values())


@given(st.lists(products, max_size=3), json_values(), json_values(), st.integers(1, 3))
def test_hostile_orders_are_clicks(listed: list[Product], value: object, event_id: object, most: int) -> None:
    assert 1 <= len(sold({"eventId": event_id, "orderId": event_id}, listed, value, most)) <= most
    assert 1 <= len(refunded({"eventId": event_id}, listed, value, most)) <= most
