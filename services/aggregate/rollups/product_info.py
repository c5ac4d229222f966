"""Titles and categories of the products that rankings show. Pure."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np

from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.columns.products import ProductVariant
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.snapshot import Snapshot
from services.aggregate.rollups.sold_names import SoldIndex
from shared.rollups.contract import AudienceRollup

# The ranking's own function, so that both share the groups that are remembered by it.
_PRODUCT_ID: Final = next(
    shown.text_of
    for dimension in RANKED_DIMENSIONS
    for shown in dimension.shown
    if shown.ranking == "products_1h" and shown.text_of
)
_REVENUE: Final = "revenue_products"
_RANKINGS: Final = ("products_1h", "products_5m", "rising_products", "revenue_products_1h", "revenue_products_8h")


def products_info(
    snapshot: Snapshot, audiences: Iterable[AudienceRollup], sold: SoldIndex
) -> dict[str, dict[str, str | None]]:
    """The `products_info` of a Rollup: each product that a ranking of an audience shows.

    As most of the product's events of the last hour have it. A product that was only sold, before that hour, is as most
    of its orders and refunds of the last eight hours have it.
    """
    shown = {product for windows in audiences for ranking in _RANKINGS for product in getattr(windows, ranking)}
    variants = _by_events(snapshot.popularity_1h["product"], shown)
    if unseen := shown - variants.keys():
        variants |= _main_variants(sold.of("product").sales_of(_REVENUE, sorted(unseen)))
    return {
        product: {"title": variants[product].title, "category": variants[product].category}
        for product in sorted(variants)
    }


def _by_events(products: Popularity, shown: AbstractSet[str]) -> dict[str, ProductVariant]:
    groups, events = products.groups(_PRODUCT_ID), products.events.sum(axis=0)
    is_shown = np.zeros(len(groups.names), np.bool_)
    is_shown[groups.find(list(shown))] = True
    places = np.flatnonzero(is_shown[groups.of] & (events > 0)).tolist()
    return _main_variants((int(events[place]), products.names[place]) for place in places)


def _main_variants(counted: Iterable[tuple[int, ProductVariant]]) -> dict[str, ProductVariant]:
    """The variant of each product with the greatest count, ties to the smaller category and title."""
    best: dict[str, tuple[int, ProductVariant]] = {}
    for count, variant in counted:
        ranked = (-count, variant)
        best[variant.product_id] = min(best.get(variant.product_id, ranked), ranked)
    return {product_id: variant for product_id, (_, variant) in best.items()}
