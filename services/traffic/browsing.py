"""The pages of one session, each reached from the one before. Pure."""

from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from services.traffic.catalogue import CATEGORY_SLUGS, PRODUCTS, CatalogueProduct
from services.traffic.visitors import Visitor
from services.traffic.weighted import draw

HOST: Final = "shop.example"
SITE: Final = f"https://{HOST}"


class Page(NamedTuple):
    """A page of the shop, with its product on a product page."""

    url: str
    product: CatalogueProduct | None = None


_HOME: Final = Page(f"{SITE}/")
_ASIDE: Final = tuple(
    Page(f"{SITE}/{path}")
    for path in ("about", "delivery-and-returns", "journal", "journal/gift-guide", "size-guide", "account/orders")
)
_SEARCHES: Final = ("gift", "sale", "black", "running", "leather", "waterproof", "coffee", "usb-c", "merino")

_CATEGORIES: Final = tuple(PRODUCTS)
_CATEGORY_WEIGHTS: Final = tuple(accumulate((14, 11, 13, 9, 10, 9, 6, 6, 6, 6, 4, 4, 3)))
_SHELF_WEIGHTS: Final = {
    category: tuple(accumulate(1 / place for place in range(1, len(products) + 1)))
    for category, products in PRODUCTS.items()
}
_GOES_WITH: Final = {
    "clothing": "shoes",
    "shoes": "clothing",
    "handbags": "accessories",
    "accessories": "handbags",
    "electronics": "computers",
    "computers": "electronics",
    "home & garden": "tools",
    "tools": "home & garden",
}
_PRODUCT_PAGES: Final = {
    category: tuple(Page(f"{SITE}/p/{product.slug}", product) for product in products)
    for category, products in PRODUCTS.items()
}
assert len(_CATEGORIES) == len(_CATEGORY_WEIGHTS)


def browse(rng: Random, visitor: Visitor, advertised: str | None = None) -> Iterator[Page]:
    """An endless stream of a person's pages; a session takes as many as it needs.

    The first one shows the category that was `advertised`, if any.
    """
    category = advertised or _draw_category(rng, visitor)
    entrance = rng.random() if advertised is None else rng.uniform(0.4, 0.95)
    if entrance < 0.4:
        page = _HOME
    elif entrance < 0.65:
        page = _category_page(category)
    elif entrance < 0.95:
        page = draw_product_page(rng, category)
    else:
        page = rng.choice(_ASIDE)
    while True:
        yield page
        page, category = _next(rng, page, category)


def crawl(rng: Random) -> Iterator[Page]:
    """An endless stream of a bot's pages; it follows every kind of link."""
    while True:
        category = rng.choice(_CATEGORIES)
        kind = rng.random()
        if kind < 0.15:
            yield rng.choice((_HOME, Page(f"{SITE}/robots.txt"), Page(f"{SITE}/sitemap.xml"), *_ASIDE))
        elif kind < 0.4:
            yield _category_page(category, rng.randint(1, 4))
        else:
            yield rng.choice(_PRODUCT_PAGES[category])


def draw_product_page(rng: Random, category: str) -> Page:
    """The page of a product of this category; its best sellers are drawn most often."""
    return draw(rng, _PRODUCT_PAGES[category], _SHELF_WEIGHTS[category])


def _next(rng: Random, page: Page, category: str) -> tuple[Page, str]:
    """The next page, and the category the visitor browses from there."""
    wish = rng.random()
    if page.product is not None:
        related = _GOES_WITH.get(category)
        if related is not None and wish < 0.3:
            return draw_product_page(rng, related), related
        if wish < 0.65:
            return draw_product_page(rng, category), category
        return (_category_page(category) if wish < 0.9 else _HOME), category
    if wish < 0.6:
        return draw_product_page(rng, category), category
    if wish < 0.7:
        return Page(f"{SITE}/search?q={rng.choice(_SEARCHES)}"), category
    if wish < 0.75:
        return rng.choice(_ASIDE), category
    other = draw(rng, _CATEGORIES, _CATEGORY_WEIGHTS)
    return _category_page(other), other


def _draw_category(rng: Random, visitor: Visitor) -> str:
    if visitor.favourites and rng.random() < 0.5:
        return rng.choice(visitor.favourites)
    return draw(rng, _CATEGORIES, _CATEGORY_WEIGHTS)


def _category_page(category: str, number: int = 1) -> Page:
    more = f"?page={number}" if number > 1 else ""
    return Page(f"{SITE}/c/{CATEGORY_SLUGS[category]}{more}")
