"""Products as rows refer to them: a product whose category or title changes has one variant for each."""

from typing import NamedTuple

from shared.events.schema import UNKNOWN


class ProductVariant(NamedTuple):
    """A product with the category and title that its events carry."""

    product_id: str
    category: str
    title: str


def product_variant_of(product_id: str | None, category: str | None, title: str | None) -> ProductVariant | None:
    """The variant that an event shows; None for a page without a product."""
    if product_id is None:
        return None
    return ProductVariant(product_id, category or UNKNOWN, title or UNKNOWN)
