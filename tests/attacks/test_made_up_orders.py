"""An attacker makes every click an order, of a new product, source, campaign, currency and order number."""

from decimal import Decimal
from itertools import product as combinations
from string import ascii_uppercase
from typing import Final

from msgspec import UNSET

from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import AudienceRollup
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, fold, published_of
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import NOON

MOST: Final = 100
CLICKS: Final = 20
STEP_SECONDS: Final = 120
STEPS: Final = 270  # nine hours
CURRENCIES: Final = ["".join(letters) for letters in combinations(ascii_uppercase, repeat=3)]
KINDS: Final = 2 * 3 * 8
"""Audiences, currencies, and whether there is a product, a source and a campaign: the most sums of a second."""


def order(second: int, number: int) -> EnrichedEvent:
    return EnrichedEvent(
        second * 1000,
        f"attacker {number % 7}",
        deviceType="Bot" if number % 5 == 0 else "Desktop",
        productId=f"product {number}",
        title=f"title {number}",
        referrer=f"https://{number:x}.example/",
        url=f"/?utm_campaign=campaign{number}",
        value="0.000001" if number % 3 else "-2.5",
        orderId=f"order {number}",
        currency=UNSET if number % 2 else CURRENCIES[number % len(CURRENCIES)],
    )


class Attacked:
    """One partition that keeps at most MOST sales one by one."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.partition = self.opened(NOON)
        self.log: list[Arrived] = []

    def opened(self, now_s: int) -> Partition:
        partition = resume(self.store, Assignment(0, 0, 1 << 40), now_s)
        partition.limit(COUNTED_EVENTS, 50, MOST, "EUR")
        return partition

    def step(self, start_s: int) -> None:
        self.partition.advance(start_s + 30)
        seconds = [start_s + 3 * number for number in range(CLICKS)]  # half of them wait for their second
        events = [order(second, len(self.log) + place) for place, second in enumerate(seconds)]
        first, arrival_ms = len(self.log), (start_s + 30) * 1000
        new = [Arrived(event, arrival_ms, 0, first + place) for place, event in enumerate(events)]
        self.log += new
        fold(self.partition, as_records(new))
        self.partition.advance(start_s + STEP_SECONDS - 1)

    def shown(self) -> AudienceRollup:
        return published_of([self.partition.snapshot()]).audiences["all"]

    def assert_bounded(self) -> None:
        """Memory holds no more than it may, whatever the number of orders."""
        sales = self.partition._windows.sales  # noqa: SLF001 - what it keeps is the point
        assert sales.kept <= MOST
        assert sum(len(sales.minute(minute)) for minute in sales._minutes) <= MOST  # noqa: SLF001
        sums = [len(sales.other_sales.minute(minute).keys) for minute in sales.other_sales.minutes]
        assert len(sums) <= 17 * 30
        assert max(sums, default=0) <= 60 * KINDS
        assert max(len(ledger.sums.keys) for ledger in sales.totals.values()) <= MOST + KINDS
        assert max(len(ledger.sums.keys) for ledger in sales.by_name.values()) <= 2 * (MOST + KINDS)

    def assert_exact(self, now_s: int) -> None:
        """Orders, refunds and revenue are those of a plain count."""
        revenue = self.shown().revenue
        for seconds, orders, refunds, shown in (
            (3600, revenue.orders_1h, revenue.refunds_1h, revenue.revenue_1h),
            (28_800, revenue.orders_8h, revenue.refunds_8h, revenue.revenue_8h),
        ):
            own = [a.event for a in self.log if now_s - seconds < a.event.timestamp // 1000 <= now_s]
            amounts = [Decimal(str(event.value)) for event in own if event.currency in ("EUR", UNSET)]
            assert orders == sum(amount >= 0 for amount in amounts)
            assert refunds == sum(amount < 0 for amount in amounts)
            assert shown == sum(amounts)


def test_orders_without_end_cost_a_bounded_memory_and_no_total() -> None:
    site, sizes = Attacked(), []
    for number in range(STEPS):
        start_s = NOON + STEP_SECONDS * number
        site.step(start_s)
        if number % 15 == 14:
            site.partition.checkpoint()
            saved = site.store.saved
            assert saved is not None
            assert site.partition._windows.sales.other_sales.unsaved == set()  # noqa: SLF001 - the next one writes changes
            sizes.append(sum(len(part) for name, part in saved.checkpoint.items() if "sales" in name))
        if number % 67 == 66:  # it dies
            now_s = start_s + STEP_SECONDS - 1
            before = site.shown()
            site.partition = site.opened(now_s)
            site.partition.advance(now_s)
            assert site.shown() == before
            site.assert_bounded()
            site.assert_exact(now_s)
    assert sizes[-1] < 1.1 * sizes[-3]  # eight and a half hours are full
    everyone = site.shown()
    assert everyone.revenue_as_other["8h"] > 28_800 // STEP_SECONDS * CLICKS - 2 * MOST
    assert "(other)" in everyone.revenue_products_8h
    assert site.partition.shows_other_sales()

    later_s = NOON + STEP_SECONDS * STEPS + 9 * 3600
    site.partition.advance(later_s)
    assert not site.partition.shows_other_sales()
    sales = site.partition._windows.sales  # noqa: SLF001
    assert (sales.kept, sales.other_sales.minutes) == (0, [])
