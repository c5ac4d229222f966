"""The shop's pages as HTML. Pure."""

from collections.abc import Iterable
from html import escape
from typing import Final

from services.collect.shop.catalogue import Catalogue, ShopProduct

SHOP_NAME: Final = "Fernwood"
_ROW: Final = 5


class Pages:
    """Writes pages of a catalogue. `script` is the tag of the script."""

    def __init__(self, catalogue: Catalogue, script: str) -> None:
        self._catalogue, self._script = catalogue, script

    def home(self) -> str:
        """What sells best of each shelf."""
        shelves = "".join(
            f"<section><h2><a href='/c/{slug}'>{_shelf_name(shelf)}</a></h2>{_cards(shelf[:_ROW])}</section>"
            for slug, shelf in self._catalogue.shelves.items()
        )
        return self._page("Welcome", f"<p class=lead>Things that last, sent tomorrow.</p>{shelves}")

    def shelf(self, slug: str) -> str | None:
        """A category; None for one that the shop has not."""
        shelf = self._catalogue.shelves.get(slug)
        return None if shelf is None else self._page(_shelf_name(shelf), _cards(shelf))

    def product(self, slug: str) -> str | None:
        """A product; None for one that the shop has not."""
        product = self._catalogue.by_slug.get(slug)
        if product is None:
            return None
        shelf = self._catalogue.shelves[product.categorySlug]
        others = [other for other in shelf if other is not product][:_ROW]
        content = (
            f"<article class=product><img src='/images/{product.slug}.svg' alt='' width=480 height=440><div>"
            f"<p class=crumb><a href='/c/{product.categorySlug}'>{_shelf_name(shelf)}</a></p>"
            f"<h1>{escape(product.title)}</h1><p class=price>{_euros(product.priceCents)}</p>"
            "<p>In stock, at your door tomorrow. Thirty days to change your mind.</p>"
            f"<button class=buy data-add='{escape(product.productId, quote=True)}' data-price='{product.price}' "
            f"data-title='{escape(product.title, quote=True)}' data-slug='{product.slug}'>Add to cart</button>"
            f"</div></article><section><h2>Also in {_shelf_name(shelf)}</h2>{_cards(others)}</section>"
        )
        return self._page(product.title, content, product.productId, heading="")

    def cart(self) -> str:
        """The cart, which the browser fills in."""
        return self._page("Your cart", "<div id=cart></div>")

    def checkout(self) -> str:
        """The last step before an order. No field: the demo has nobody's data."""
        return self._page(
            "Checkout",
            "<div id=summary></div><p>This is a demonstration: nothing is sent to anybody, and nothing is charged.</p>"
            "<button class=buy id=order>Place the order</button>",
        )

    def thanks(self) -> str:
        """After an order."""
        return self._page(
            "Thank you", "<p class=lead>Your order is on its way to the dashboard.</p><a href='/'>Back to the shop</a>"
        )

    def missing(self) -> str:
        """For addresses that the shop has not."""
        return self._page("Nothing here", "<p>This page does not exist. <a href='/'>Back to the shop</a></p>")

    def _page(self, title: str, content: str, product_id: str | None = None, *, heading: str | None = None) -> str:
        shown = f"<h1>{escape(title)}</h1>" if heading is None else heading
        product = f"<meta name='clickpulse:product' content='{escape(product_id, quote=True)}'>" if product_id else ""
        shelves = "".join(
            f"<a href='/c/{slug}'>{_shelf_name(shelf)}</a>" for slug, shelf in self._catalogue.shelves.items()
        )
        return (
            "<!doctype html><html lang=en><head><meta charset=utf-8>"
            f"<title>{escape(title)} – {SHOP_NAME}</title>"
            "<meta name=viewport content='width=device-width, initial-scale=1'>"
            f"{product}<link rel=icon href='data:,'><link rel=stylesheet href='/shop.css'>"
            f"{self._script}<script defer src='/shop.js'></script></head><body>"
            f"<header><a class=name href='/'>{SHOP_NAME}</a><label>Shop as <select id=persona></select></label>"
            "<a href='/cart'>Cart <b id=pieces>0</b></a></header>"
            f"<nav>{shelves}</nav><main>{shown}{content}</main>"
            "<aside id=offer hidden role=status><b>An offer for you</b><p></p><button>Close</button></aside>"
            "<footer>A demonstration of Clickpulse. Every click here is on its dashboard within two seconds.</footer>"
            "</body></html>"
        )


def _cards(products: Iterable[ShopProduct]) -> str:
    cards = "".join(
        f"<a class=card href='/p/{product.slug}'><img src='/images/{product.slug}.svg' alt='' width=240 height=220 "
        f"loading=lazy><span>{escape(product.title)}</span><b>{_euros(product.priceCents)}</b></a>"
        for product in products
    )
    return f"<div class=cards>{cards}</div>"


def _shelf_name(shelf: Iterable[ShopProduct]) -> str:
    name = next(iter(shelf)).category
    return escape(name[:1].upper() + name[1:])


def _euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}"
