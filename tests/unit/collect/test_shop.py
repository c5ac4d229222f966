"""The shop's pages."""

from collections.abc import Callable
from xml.etree import ElementTree as ET

import msgspec
import pytest

from services.collect.request import Request
from services.collect.shop.catalogue import Catalogue, ShopProduct, read_catalogue
from services.collect.shop.documents import SHOP_SITE, Shop
from services.traffic.browsing import HOST
from services.traffic.lookups import shop as generated

HOSTILE = ShopProduct("p'1\"<", "<b>", "bold", "<script>alert(1)</script>", "hostile", 1_999)

Ask = Callable[[str], tuple[int, str]]


def asking(catalogue: Catalogue) -> Ask:
    shop = Shop(catalogue, SHOP_SITE, "/s.js")

    def ask(path: str) -> tuple[int, str]:
        answer = shop.answer(Request("GET", path, "", {}, b"", "127.0.0.1", 0))
        return answer.status, answer.body.decode()

    return ask


@pytest.fixture
def ask() -> Ask:
    return asking(read_catalogue(msgspec.json.encode(generated())))


def test_its_clicks_belong_to_the_generated_ones_site() -> None:
    assert SHOP_SITE == HOST


def test_every_product_has_a_page_a_picture_and_a_place_on_its_shelf(ask: Ask) -> None:
    for product in generated():
        status, page = ask(f"/p/{product['slug']}")
        assert status == 200
        assert f"content='{product['productId']}'" in page
        assert "src='/s.js'" in page
        status, picture = ask(f"/images/{product['slug']}.svg")
        assert status == 200
        ET.fromstring(picture)
        assert f"/p/{product['slug']}'" in ask(f"/c/{product['categorySlug']}")[1]


@pytest.mark.parametrize("path", ["/", "/cart", "/checkout", "/checkout/thank-you", "/shop.css", "/shop.js"])
def test_the_other_pages_are_there(ask: Ask, path: str) -> None:
    assert ask(path)[0] == 200


@pytest.mark.parametrize("path", ["/p/nothing", "/c/", "/images/nothing.svg", "/images/../../etc/passwd", "/%00"])
def test_other_paths_say_that_nothing_is_there(ask: Ask, path: str) -> None:
    status, page = ask(path)
    assert status == 404
    assert "does not exist" in page


def test_names_are_text_and_never_markup() -> None:
    ask = asking(Catalogue([HOSTILE]))
    for path in ("/", "/c/bold", "/p/hostile"):
        page = ask(path)[1]
        assert "<script>alert" not in page
        assert "<b>" not in page.replace("<b id=pieces>", "").replace("<b>An offer", "").replace("<b>€", "")
        assert "p'1" not in page


@pytest.mark.parametrize("document", [b"", b"[{}]", b'[{"productId":"","category":"a"}]', b"\xff"])
def test_a_wrong_catalogue_is_explained(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_catalogue(document)
