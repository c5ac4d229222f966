"""A partition that only sells: the ledger of its products and their names, without windows."""

from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.columns.sales import NO_CURRENCY_CODE, SALE, codes_of, currency_code, named_keys
from services.aggregate.engine.ledger import Ledger, Sums, figures_of
from services.aggregate.rollups.sales_figures import NamedSums

(PRODUCT,) = (dimension for dimension in REVENUE_DIMENSIONS if dimension.name == "product")
PRODUCTS: Final = tuple(
    ProductVariant(product, category, product) for product in ("a", "b", "ä", "😀") for category in ("x", "y", "z")
)
VALUES: Final = (-(1 << 40), -5, -1, 0, 1, 2, 1 << 31, (1 << 32) - 1, 1 << 40, 10**18)
CURRENCIES: Final = (NO_CURRENCY_CODE, currency_code("EUR"), currency_code("USD"))

Sold = tuple[Any, int, int, int, int, bool]
"""A name, the place of a window, a value, a currency, 1 for a bot, and whether it is a further line."""
SALES: Final = st.tuples(
    st.sampled_from(PRODUCTS),
    st.integers(0, 1),
    st.sampled_from(VALUES),
    st.sampled_from(CURRENCIES),
    st.integers(0, 1),
    st.booleans(),
)


class SellingPartition:
    """Names get codes when they sell, and `compact` frees those of names that have nothing left."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.names: Names[Any] = Names(other=ProductVariant("(other)", "(other)", "(other)"))
        self.sales: list[Sold] = []

    def sell(self, sales: list[Sold]) -> None:
        """Add sales."""
        self._add(sales, is_leaving=False)
        self.sales += sales

    def leave(self, most: int) -> None:
        """Take back the oldest sales."""
        leaving, self.sales = self.sales[:most], self.sales[most:]
        if leaving:
            self._add(leaving, is_leaving=True)

    def _add(self, sold: list[Sold], *, is_leaving: bool) -> None:
        rows = np.zeros(len(sold), SALE)
        rows["currency"], rows["bot"] = [sale[3] for sale in sold], [sale[4] for sale in sold]
        codes = np.array([self.names.codes[sale[0]] for sale in sold], np.int64)
        keys = np.concatenate([named_keys(rows[n : n + 1], codes[n : n + 1], sale[1]) for n, sale in enumerate(sold)])
        sums = Sums.of(
            keys,
            figures_of(np.array([sale[2] for sale in sold], np.int64), np.array([sale[5] for sale in sold], np.bool_)),
        )
        (self.ledger.subtract if is_leaving else self.ledger.add)(sums)

    def compact(self) -> None:
        """Free codes."""
        in_use = np.zeros(len(self.names), np.bool_)
        in_use[0] = True
        in_use[self.names.free] = True
        in_use[codes_of(self.ledger.sums.keys)] = True
        if not in_use.all():
            self.names = self.names.without(np.flatnonzero(~in_use))

    def part(self) -> NamedSums:
        """What a snapshot has of it."""
        return NamedSums(self.names, self.ledger.changing)
