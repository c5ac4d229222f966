"""The shop's products, from the file that `clickpulse generate --lookups` writes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

_Word = Annotated[str, Meta(min_length=1, max_length=200)]
_Slug = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,100}$")]


class ShopProduct(msgspec.Struct, frozen=True):
    """A product; `price_cents` is in euros."""

    productId: _Word
    category: _Word
    categorySlug: _Slug
    title: _Word
    slug: _Slug
    priceCents: Annotated[int, Meta(ge=0, le=10**9)]

    @property
    def price(self) -> str:
        """In euros, as an event's `value`."""
        return f"{self.priceCents // 100}.{self.priceCents % 100:02}"


class Catalogue:
    """Products by slug, and the shelves by their category's slug, in the order of the file."""

    def __init__(self, products: Sequence[ShopProduct]) -> None:
        self.by_slug: Mapping[str, ShopProduct] = {product.slug: product for product in products}
        shelves: dict[str, list[ShopProduct]] = {}
        for product in products:
            shelves.setdefault(product.categorySlug, []).append(product)
        self.shelves: Mapping[str, Sequence[ShopProduct]] = shelves


def read_catalogue(document: bytes) -> Catalogue:
    """Read the file. Raises ValueError, which names what is wrong."""
    try:
        return Catalogue(msgspec.json.decode(document, type=list[ShopProduct]))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
