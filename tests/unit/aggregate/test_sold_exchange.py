"""What names sold as another replica gets it: a copy equals the sums, whatever messages are lost."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.aggregate.engine import ledger as ledgers
from services.aggregate.engine.ledger import Sums
from services.aggregate.rollups import sold_exchange, sold_names
from services.aggregate.rollups.sold_exchange import NOTHING, Position, SoldChanges, SoldCopy, SoldFeed, checked
from services.aggregate.rollups.sold_names import SoldNames
from shared.rollups.model import AUDIENCES
from tests.support.samples.sold import PRODUCT, PRODUCTS, SALES, SellingPartition, Sold


def sent(changes: SoldChanges) -> SoldChanges:
    """As the publisher decodes it."""
    encoded = msgspec.msgpack.encode(changes)
    return checked("product", msgspec.msgpack.decode(encoded, type=SoldChanges))


class Exchange(RuleBasedStateMachine):
    """A partition that sells, its feed, and a publisher with a copy."""

    @initialize()
    def start(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ledgers, "_FEWEST", 3)
        self.patch.setattr(ledgers, "_MOST_ADDED", 2)
        self.patch.setattr(sold_names, "_FEWEST", 2)
        self.patch.setattr(sold_exchange, "_FEWEST", 4)
        self.partition, self.feed = SellingPartition(), SoldFeed()
        self.another_publisher()

    def teardown(self) -> None:
        self.patch.undo()

    @rule()
    def another_publisher(self) -> None:
        """It has nothing."""
        self.copy, self.index, self.acknowledged = SoldCopy(), SoldNames(PRODUCT, "EUR"), NOTHING

    @rule(sales=st.lists(SALES, min_size=1, max_size=5))
    def sell(self, sales: list[Sold]) -> None:
        self.partition.sell(sales)

    @rule(most=st.integers(1, 6))
    def leave(self, most: int) -> None:
        self.partition.leave(most)

    @rule()
    def compact(self) -> None:
        self.partition.compact()

    @rule()
    def acknowledge(self) -> None:
        self.acknowledged = self.copy.position

    @rule()
    def lose(self) -> None:
        """The sums of an instant that the publisher does not read."""
        self.feed.follow(self.partition.part())
        self.feed.since(self.acknowledged, 1000)

    @rule(most_bytes=st.sampled_from([0, 1, 150, 400, 100_000]))
    def share(self, most_bytes: int) -> None:
        self.feed.follow(self.partition.part())
        changes, used_bytes = self.feed.since(self.acknowledged, most_bytes)
        assert used_bytes <= max(most_bytes, 150) or len(changes.pieces) == 1
        changes = sent(changes)
        assert self.copy.fits(changes)
        self.copy.apply(changes)
        if changes.is_whole:
            self._check()

    def _check(self) -> None:
        def named(part: Any) -> dict[Any, list[int]]:
            keys, figures = part.changing.total()
            codes = (keys & ((1 << 31) - 1)).tolist()
            return {
                (part.names[code], key >> 31): own
                for code, key, own in zip(codes, keys.tolist(), figures.tolist(), strict=True)
            }

        assert named(self.copy.sums()) == named(self.partition.part())
        plain = SoldNames(PRODUCT, "EUR")
        plain.update([self.partition.part()])
        self.index.update([self.copy.sums()])
        for window in ("1h", "8h"):
            for audience in AUDIENCES:
                found, wanted = (
                    index.greatest("revenue_products", window, audience, 3) for index in (self.index, plain)
                )
                assert found == wanted


TestExchange = Exchange.TestCase


def test_a_large_feed_is_sent_in_parts_and_then_only_what_is_added() -> None:
    partition, feed, copy = SellingPartition(), SoldFeed(), SoldCopy()
    partition.sell([(name, window, 5, 0, 0, False) for name in PRODUCTS for window in (0, 1)])
    parts, is_whole = 0, False
    while not is_whole:
        feed.follow(partition.part())
        part, used_bytes = feed.since(copy.position, 400)
        assert used_bytes <= 400
        copy.apply(sent(part))
        parts, is_whole = parts + 1, part.is_whole
    assert parts > 4
    partition.sell([(PRODUCTS[0], 1, 7, 0, 0, False)])
    feed.follow(partition.part())
    added, used_bytes = feed.since(copy.position, 100_000)
    assert len(added.names) == 1
    assert used_bytes < 200
    feed.follow(partition.part())
    copy.apply(sent(added))
    assert feed.since(copy.position, 100_000)[0].pieces == []


def test_a_feed_keeps_no_more_rows_than_a_few_times_its_sums() -> None:
    partition, feed, copy = SellingPartition(), SoldFeed(), SoldCopy()
    for _ in range(9_000):  # one sale at a time, which comes and leaves
        partition.sell([(PRODUCTS[0], 1, 7, 0, 0, False)])
        partition.leave(1)
        feed.follow(partition.part())
        copy.apply(feed.since(copy.position, 100_000)[0])
        assert copy.position.rows < 2 * 4_096 + 3
    assert copy.position.feed > 1


def changes(**fields: Any) -> SoldChanges:
    """Changes of one row, wrong in `fields`."""
    piece = (np.array([1], np.int64).tobytes(), np.ones((1, 8), np.int64).tobytes())
    own: dict[str, Any] = {
        "since": Position(1, 0), "until": Position(1, 1), "is_whole": True, "pieces": [piece],
        "codes": np.array([1], np.int64).tobytes(), "names": [("p", "c", "t")],
    }  # fmt: skip
    return SoldChanges(**{**own, **fields})


def rows(keys: list[int], figures: Any) -> tuple[bytes, bytes]:
    return np.array(keys, np.int64).tobytes(), np.array(figures, np.int64).tobytes()


def test_what_the_cases_below_are_made_of_is_right() -> None:
    copy = SoldCopy()
    copy.apply(sent(changes()))
    assert copy.sums().names[1].product_id == "p"


@pytest.mark.parametrize(
    "fields",
    [
        {"since": Position(-1, 0)},
        {"since": Position(1, -1)},
        {"until": Position(1, 2)},
        {"until": Position(2, 1)},
        {"until": Position(1, 1 << 60)},
        {"pieces": [rows([1], np.ones((1, 7)))]},
        {"pieces": [rows([1, 1], np.ones((1, 8)))]},
        {"pieces": [(b"", b"")]},
        {"pieces": [rows([-1], np.ones((1, 8)))]},
        {"pieces": [rows([1 << 62], np.ones((1, 8)))]},
        {"pieces": [rows([(1 << 31) - 1], np.ones((1, 8)))], "codes": np.array([(1 << 31) - 1]).tobytes()},
        {"pieces": [rows([2], np.ones((1, 8)))]},
        {"pieces": [rows([1], np.full((1, 8), 1 << 60))]},
        {"codes": b""},
        {"names": []},
        {"names": [7]},
        {"names": [("p", "c")]},
    ],
)
def test_changes_that_no_replica_of_ours_sends_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        sent(changes(**fields))


def test_sums_that_no_shop_has_are_published_as_numbers() -> None:
    """Another process may send any rows, such as refunds that nobody bought."""
    copy, index = SoldCopy(), SoldNames(PRODUCT, "EUR")
    copy.apply(sent(changes(pieces=[rows([1], [[0, 0, 0, 0, -5, 9, 0, 0]])])))
    index.update([copy.sums()])
    assert index.greatest("revenue_products", "1h", "all", 3) == []
    assert Sums(*copy.sums().changing.added[0]).figures.tolist() == [[0, 0, 0, 0, -5, 9, 0, 0]]
