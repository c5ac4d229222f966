"""Names that shops use, in our words."""

import doctest
import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collect.protocols import commerce, plausible
from services.collect.protocols.commerce import EVENT_TYPES, PROPERTIES, commerce_of, event_type_of
from tests.support.samples.json_values import json_values

DOCUMENT: Final = Path(__file__).parents[4] / "docs" / "collector.md"


@pytest.mark.parametrize("module", [commerce, plausible])
def test_examples_are_right(module: Any) -> None:
    examples = doctest.testmod(module)
    assert examples.attempted > 0
    assert examples.failed == 0


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("pageview", "page_view"),
        ("Purchase", "purchase"),
        ("Woo Complete Purchase", "purchase"),
        ("EDD Add to Cart", "add_to_cart"),
        ("add-to-cart", "add_to_cart"),
        ("Outbound Link: Click", "outbound_link"),
        ("File Download", "download"),
        ("Repurchase", "Repurchase"),
        ("Foo woo refund", "Foo woo refund"),
        ("Signup", "Signup"),
        ("", ""),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_names_of_shops_are_our_types(name: str, event_type: str) -> None:
    assert event_type_of(name) == event_type


@pytest.mark.parametrize("name", ["product_id", "productId", "Product ID", "PRODUCT-ID", "sku", "item_id"])
def test_a_property_is_found_however_it_is_written(name: str) -> None:
    assert commerce_of({name: "p7"}) == {"productId": "p7"}


def test_the_first_name_wins() -> None:
    assert commerce_of({"sku": "s", "product_id": "p", "Item ID": "i"}) == {"productId": "p"}
    assert commerce_of({"item_id": "i", "sku": ["s"], "product_id": ""}) == {"productId": "i"}
    assert commerce_of({"sku": True, "quantity": False}) == {}


@given(json_values() | st.dictionaries(st.sampled_from(["sku", "order_id", "qty", "x" * 100_000]), json_values()))
def test_any_properties_are_read(properties: object) -> None:
    assert set(commerce_of(properties)) <= set(PROPERTIES)


@pytest.mark.parametrize(("ours", "theirs"), [*EVENT_TYPES.items(), *PROPERTIES.items()])
def test_the_document_has_every_name(ours: str, theirs: tuple[str, ...]) -> None:
    rows = re.findall(rf"^\| `{ours}` \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert ", ".join(theirs) in [row.lower() for row in rows]
