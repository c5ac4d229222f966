"""What names sold against a plain count: partitions sell, take back, free codes, come and go, and are read at times."""

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.aggregate.columns.products import ProductVariant
from services.aggregate.engine import ledger as ledgers
from services.aggregate.rollups import ranking, sold_names
from services.aggregate.rollups.sold_names import SoldNames
from shared.rollups.commerce import REVENUE_WINDOWS
from shared.rollups.model import AUDIENCES
from tests.support.samples.sold import CURRENCIES, PRODUCT, SALES, SellingPartition, Sold

MOST = 3


class Shop(RuleBasedStateMachine):
    """Partitions, and a publisher that follows them."""

    @initialize()
    def start(self) -> None:
        self.partitions = [SellingPartition(), SellingPartition()]
        self.index = SoldNames(PRODUCT, "EUR")

    @rule(number=st.integers(0, 1), sales=st.lists(SALES, min_size=1, max_size=5))
    def sell(self, number: int, sales: list[Sold]) -> None:
        self.partitions[number].sell(sales)

    @rule(number=st.integers(0, 1), most=st.integers(1, 6))
    def leave(self, number: int, most: int) -> None:
        self.partitions[number].leave(most)

    @rule(number=st.integers(0, 1))
    def compact(self, number: int) -> None:
        """Codes of names without sales are free for others."""
        self.partitions[number].compact()

    @rule(number=st.integers(0, 1))
    def reopen(self, number: int) -> None:
        """Another process has the partition."""
        before, self.partitions[number] = self.partitions[number], SellingPartition()
        if before.sales:
            self.partitions[number].sell(before.sales)

    @rule()
    def revoke(self) -> None:
        """A partition is nobody's; a new one follows at once."""
        self.index.update([self.partitions[0].part()])
        self._check(self.partitions[:1])

    @rule()
    def publish(self) -> None:
        self.index.update([own.part() for own in self.partitions])
        self._check(self.partitions)

    def _check(self, partitions: list[SellingPartition]) -> None:
        sales = [sale for own in partitions for sale in own.sales]
        for revenue, text_of in (("revenue_products", 0), ("revenue_categories", 1)):
            for place, window in enumerate(REVENUE_WINDOWS):
                for audience in AUDIENCES:
                    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
                    for name, at, value, currency, bot, _ in sales:
                        if (
                            at == place
                            and currency in CURRENCIES[:2]
                            and audience in ("all", "bot" if bot else "human")
                        ):
                            sums[name[text_of]][0] += value
                            sums[name[text_of]][1] += value >= 0
                    plain = sorted((-total, text, orders) for text, (total, orders) in sums.items())[:MOST]
                    found = self.index.greatest(revenue, window, audience, MOST)
                    assert found == [(text, -negative, orders) for negative, text, orders in plain]
        counts: dict[Any, int] = defaultdict(int)
        for name, at, *_ in sales:
            counts[name] += at == len(REVENUE_WINDOWS) - 1
        variants = self.index.sales_of("revenue_products", ["a", "ä", "nobody"])
        assert sorted(variants) == sorted(
            (n, name) for name, n in counts.items() if n and name.product_id in ("a", "ä")
        )


class FewShop(Shop):
    """The same where sums are summed up, names dropped and groups of ranking formed after a few."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ledgers, "_FEWEST", 3)
        self.patch.setattr(ledgers, "_MOST_ADDED", 2)
        self.patch.setattr(sold_names, "_FEWEST", 2)
        self.patch.setattr(ranking, "_GROUPS", 4)
        super().start()

    def teardown(self) -> None:
        self.patch.undo()


TestShop = Shop.TestCase
TestFewShop = FewShop.TestCase


names = st.lists(st.text("aä😀", min_size=1, max_size=6), min_size=1, max_size=40, unique=True)


@given(names, st.data(), st.integers(1, 12))
def test_the_greatest_are_shown_and_ties_go_to_the_smaller_text(
    texts: list[str], data: st.DataObject, most: int
) -> None:
    values = data.draw(
        st.lists(st.sampled_from((-(1 << 40), -1, 0, 1, 1 << 40)), min_size=len(texts), max_size=len(texts))
    )
    partition = SellingPartition()
    partition.sell(
        [(ProductVariant(text, "c", "t"), 1, value, 0, 0, False) for text, value in zip(texts, values, strict=True)]
    )
    index = SoldNames(PRODUCT, "EUR")
    index.update([partition.part()])
    plain = sorted(zip((-value for value in values), (text.encode() for text in texts), strict=True))[:most]
    assert index.greatest("revenue_products", "8h", "all", most) == [
        (text.decode(), -negative, int(negative <= 0)) for negative, text in plain
    ]
