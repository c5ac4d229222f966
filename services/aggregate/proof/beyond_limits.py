"""Which figures depend on when names and sales were read, because they are beyond MAX_NAMES and MAX_SALES. Pure.

Beyond a limit, names count as (other). Which ones are is not in the log, so these figures cannot be counted again.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.aggregate.columns.dimensions import RANKED_DIMENSIONS, Dimension
from services.aggregate.proof.clicks import PLACES, TITLE, Click, Names
from services.aggregate.proof.published import Place, rows
from shared.rollups.codecs import RISING
from shared.rollups.commerce_codecs import SALES
from shared.rollups.contract import AUDIENCE_ROWS

_OF_PRODUCTS: Final = (
    Place("site", "products_info"),
    Place("seed", "products_1h"),
    Place("seed", "categories_1h"),
)
_VISITS: Final = {"page": ("entry_pages_1h", "exit_pages_1h", "pages_5m"), "product": ("products_5m",)}
_SALES: Final = ("other_currencies", "revenue_as_other")


def uncertain(clicks: Iterable[Click], published: Mapping[Place, Any], max_names: int) -> set[Place]:
    """The keys that are not compared."""
    clicks = list(clicks)
    found = {
        place
        for dimension in RANKED_DIMENSIONS
        if dimension.is_open and _has_more(clicks, dimension, max_names)
        for place in places_of_dimension(dimension)
    }
    return found | (places_of_sales() if _has_other_sales(clicks, published) else set())


def _has_more(clicks: Iterable[Click], dimension: Dimension, max_names: int) -> bool:
    by_partition: dict[int, set[Names]] = {}
    labels = [shown.ranking for shown in dimension.shown if shown.ranking]
    places = [PLACES[label] for label in (*labels, *([TITLE] if dimension.name == "product" else []))]
    for click in clicks:
        names = tuple([click.names[place] for place in places])
        if names[0] is not None:
            known = by_partition.setdefault(click.partition, set())
            known.add(names)
            if len(known) > max_names:
                return True
    return False


def places_of_dimension(dimension: Dimension) -> set[Place]:
    """The keys with names of a dimension."""
    rankings = {shown.ranking for shown in dimension.shown if shown.ranking}
    revenue = {shown.revenue for shown in dimension.shown if shown.revenue}
    attributes = {
        name
        for name, row in AUDIENCE_ROWS.items()
        if name in rankings
        or name in _VISITS.get(dimension.name, ())
        or (row.codec is RISING and f"{name.removeprefix('rising_')}_1h" in rankings)
        or (row.codec is SALES and name.rpartition("_")[0] in revenue)
    }
    found = {place for place, _, _ in rows() if place.part == "audience" and place.attribute in attributes}
    found |= {place for place, _, _ in rows() if place.part == "previous" and place.attribute in rankings}
    return found | (set(_OF_PRODUCTS) if dimension.name == "product" else set())


def _has_other_sales(clicks: Iterable[Click], published: Mapping[Place, Any]) -> bool:
    counts = published.get(Place("audience", "revenue_as_other", "all"))
    has_more = any(click.sale is not None and click.sale.is_other for click in clicks)
    return has_more and bool(isinstance(counts, Mapping) and any(counts.values()))


def places_of_sales() -> set[Place]:
    """The keys of sales that depend on the limit: all but the totals in the reporting currency."""
    return {
        place
        for place, _, row in rows()
        if place.part == "audience" and (row.codec is SALES or place.attribute in _SALES)
    } | {Place("site", "products_info")}
