"""What the shop answers, by path. Pure, except that its files are read at import."""

from pathlib import Path
from typing import Final

from services.collect.request import Answer, Request
from services.collect.shop.catalogue import Catalogue
from services.collect.shop.images import picture
from services.collect.shop.pages import Pages

SHOP_SITE: Final = "shop.example"
"""Whose clicks the shop sends: the generated ones' site, so that both are counted together."""

_CSS: Final = Path(__file__).with_name("shop.css").read_bytes()
_JS: Final = Path(__file__).with_name("shop.js").read_bytes()
_MINUTES: Final = ((b"cache-control", b"max-age=300"),)
_FRESH: Final = ((b"cache-control", b"no-cache"),)
_HTML: Final = "text/html; charset=utf-8"


class Shop:
    """The pages, pictures and files of a shop."""

    def __init__(self, catalogue: Catalogue, site: str, script_path: str) -> None:
        """`site` is whose clicks these are."""
        self._catalogue = catalogue
        self._pages = Pages(catalogue, f"<script defer data-manual data-site='{site}' src='{script_path}'></script>")

    def answer(self, request: Request) -> Answer:
        """The document of a path; a page that says so where there is none."""
        page = self._page(request.path)
        if page is not None:
            return Answer(200, page.encode(), _HTML, _FRESH)
        if request.path == "/shop.css":
            return Answer(200, _CSS, "text/css; charset=utf-8", _MINUTES)
        if request.path == "/shop.js":
            return Answer(200, _JS, "text/javascript; charset=utf-8", _MINUTES)
        name = request.path.removeprefix("/images/").removesuffix(".svg")
        product = self._catalogue.by_slug.get(name) if request.path == f"/images/{name}.svg" else None
        if product is not None:
            return Answer(200, picture(product.categorySlug, product.slug), "image/svg+xml", _MINUTES)
        return Answer(404, self._pages.missing().encode(), _HTML)

    def _page(self, path: str) -> str | None:
        if path.startswith("/c/"):
            return self._pages.shelf(path.removeprefix("/c/"))
        if path.startswith("/p/"):
            return self._pages.product(path.removeprefix("/p/"))
        fixed = {
            "/": self._pages.home,
            "/cart": self._pages.cart,
            "/checkout": self._pages.checkout,
            "/checkout/thank-you": self._pages.thanks,
        }
        return fixed[path]() if path in fixed else None
