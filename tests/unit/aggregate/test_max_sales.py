"""MAX_SALES: sales beyond it have no names of their own, and totals stay exact. A restart repeats which they are."""

from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.rollups.presentation import published
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.rollups.commerce import OTHER_CURRENCIES, Revenue, Sales
from shared.rollups.contract import AudienceRollup
from shared.rollups.model import Meta
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.fakes.memory_store import MemoryStore
from tests.support.fakes.one_batch import OneBatch
from tests.support.oracle.engine import BASE_S, as_records, assert_equals_the_oracle, events, fold, published_of
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import T, click

MOST: Final = 3


def opened(store: MemoryStore, now_s: int, most: int = MOST, currency: str = "EUR") -> Partition:
    partition = resume(store, Assignment(0, 0, 1 << 40), now_s)
    partition.limit(COUNTED_EVENTS, most_sales=most, currency=currency)
    return partition


class LimitedSales(RuleBasedStateMachine):
    """A partition that reads each batch when it arrives, with a clock that moves and processes that die."""

    @initialize()
    def start(self) -> None:
        self.now_s = BASE_S
        self.log: list[Arrived] = []
        self.store = MemoryStore()
        self.partition = opened(self.store, self.now_s)

    @rule(data=st.data(), number=st.integers(1, 4))
    def arrive(self, data: st.DataObject, number: int) -> None:
        """Events arrive, and are read as one batch."""
        batch = []
        for _ in range(number):
            offset = len(self.log)
            event = data.draw(events(self.now_s * 1000, ("a", "b"), [f"{offset // 2}"], [f"o{offset // 2}"]))
            batch.append(Arrived(event, self.now_s * 1000, 0, offset))
            self.log.append(batch[-1])
        fold(self.partition, as_records(batch))

    @rule(seconds=st.sampled_from([1, 1, 2, 59, 60, 600, 1800, 3600, 30_600]))
    def tick(self, seconds: int) -> None:
        self.now_s += seconds
        self.partition.advance(self.now_s)

    @rule()
    def checkpoint(self) -> None:
        self.partition.checkpoint()

    @rule()
    def crash(self) -> None:
        self.partition = opened(self.store, self.now_s)
        self.partition.advance(self.now_s)

    @rule()
    def publish(self) -> None:
        assert self.partition._windows.sales.kept <= MOST  # noqa: SLF001 - the limit is the point
        assert_equals_the_oracle(published_of([self.partition.snapshot()]), self.log, self.now_s, most_sales=MOST)


TestLimitedSales = LimitedSales.TestCase
TestLimitedSales.settings = settings(max_examples=60, stateful_step_count=30)


def everyone(partition: Partition) -> AudienceRollup:
    return published_of([partition.snapshot()]).audiences["all"]


def sell(partition: Partition, *sales: dict[str, Any], second: int = T) -> None:
    first = partition.next_offset or 0
    fold(partition, as_records([
        Arrived(click(second, f"u{first + place}", **sale), second * 1000, 0, first + place)
        for place, sale in enumerate(sales)
    ]))  # fmt: skip


def of(product: str | None, value: str = "5", **fields: Any) -> dict[str, Any]:
    return {"productId": product, "category": None if product is None else f"{product}s", "value": value, **fields}


def test_sales_beyond_the_limit_count_in_totals_and_under_no_name_of_their_own() -> None:
    partition = opened(MemoryStore(), T, most=2)
    sell(partition, of("a"), of("b", "7"), of("c", "11"), of("d", "-1"), of(None, "13"))
    shown = everyone(partition)
    assert shown.revenue.revenue_1h == shown.revenue.revenue_8h == 5 + 7 + 11 - 1 + 13
    assert (shown.revenue.orders_1h, shown.revenue.refunds_1h) == (4, 1)
    assert shown.revenue_1m[(T - T % 60) * 1000] == 35
    assert shown.revenue_as_other == {"1h": 3, "8h": 3}
    assert shown.revenue_products_1h == {  # what has no product is not an other product
        "(other)": Sales(Decimal(10), 1), "b": Sales(Decimal(7), 1), "a": Sales(Decimal(5), 1)
    }  # fmt: skip
    assert set(shown.revenue_categories_8h) == {"(other)", "as", "bs"}
    assert shown.revenue_sources_8h == {"(other)": Sales(Decimal(23), 2), "Direct": Sales(Decimal(12), 2)}
    assert shown.revenue_campaigns_8h == {}
    assert published_of([partition.snapshot()]).products_info["(other)"] == {"title": "(other)", "category": "(other)"}


def test_only_the_reporting_currency_keeps_amounts_beyond_the_limit() -> None:
    partition = opened(MemoryStore(), T, most=1, currency="CHF")
    sell(partition, *(of("a", "5", currency=currency) for currency in ("USD", "CHF", "USD", "JPY", "EUR")), of("a"))
    sell(partition, of("a", "-9", currency="JPY"))
    meta = Meta(as_of_ms=T * 1000)
    shown = published(partition.snapshot(), meta, expose_pii=True, currency="CHF").audiences["all"]
    assert (shown.revenue.revenue_1h, shown.revenue.orders_1h) == (Decimal(10), 2)
    assert set(shown.other_currencies) == {"USD", OTHER_CURRENCIES}
    assert shown.other_currencies["USD"].revenue_8h == 5
    assert shown.other_currencies[OTHER_CURRENCIES] == Revenue(
        currency=OTHER_CURRENCIES, orders_1h=3, refunds_1h=1, orders_8h=3, refunds_8h=1
    )


def test_a_repeated_order_counts_once_beyond_the_limit_as_well() -> None:
    partition = opened(MemoryStore(), T, most=1)
    sell(partition, *(of("a", "5", orderId=f"{number}", eventType="purchase") for number in range(3)))
    again = [
        Arrived(click(T, f"u{number}", **of("a", "9", orderId=f"{number}")), T * 1000, 0, 3 + number)
        for number in range(3)
    ]
    fold(partition, as_records(again))
    assert (everyone(partition).revenue.revenue_1h, everyone(partition).revenue.orders_1h) == (Decimal(15), 3)


def test_sales_are_kept_one_by_one_again_once_others_have_left() -> None:
    partition = opened(MemoryStore(), T, most=1)
    sell(partition, of("a"), of("b"))
    assert partition.take_sales_counted_as_other() == 1
    assert partition.take_sales_counted_as_other() == 0
    assert partition.shows_other_sales()
    later = T + 9 * 3600
    partition.advance(later)
    assert not partition.shows_other_sales()
    sell(partition, of("c"), second=later)
    assert everyone(partition).revenue_products_1h == {"c": Sales(Decimal(5), 1)}
    assert partition.take_sales_counted_as_other() == 0


def test_a_sale_that_waits_for_its_second_takes_up_the_limit() -> None:
    store = MemoryStore()
    partition = opened(store, T, most=1)
    ahead = [Arrived(click(T + 30, f"u{n}", **of(name)), T * 1000, 0, n) for n, name in enumerate("ab")]
    for arrived in ahead:  # one batch each
        fold(partition, as_records([arrived]))
    assert partition.take_sales_counted_as_other() == 1
    partition.checkpoint()
    partition = opened(store, T, most=1)
    assert everyone(partition).revenue_products_1h == {}
    partition.advance(T + 30)
    assert set(everyone(partition).revenue_products_1h) == {"a", "(other)"}


def test_a_restart_with_another_limit_keeps_what_was_kept() -> None:
    store = MemoryStore()
    partition = opened(store, T, most=2)
    sell(partition, *(of(name) for name in "abcd"))
    before = everyone(partition)
    for most in (1, 9):
        partition = opened(store, T, most=most)
        assert everyone(partition) == before
    sell(partition, of("e"))
    assert set(everyone(partition).revenue_products_1h) == {"(other)", "a", "b", "e"}


def test_the_health_is_degraded_while_the_figures_have_any(tmp_path: Path) -> None:
    stop, gauges, health, clock = Event(), Gauges(), Health("test"), [T]
    reasons: list[str | None] = []

    def advance(poll: int) -> None:
        trouble = health.troubles().get("sales")
        reasons.append(None if trouble is None else trouble.reason)
        clock[0] += 1 if poll < 5 else 3600
        if poll == 15:
            stop.set()

    service = AggregateService(
        AggregateSettings(state_dir=tmp_path, max_sales=10),
        producer=MemoryProducer(),
        offer=lambda _: None,
        health=health,
        gauges=gauges,
        clock=lambda: float(clock[0]),
        stop=stop,
    )
    service.on_assigned(Assignment(0, 0, 30))
    records = [Record(0, n, T * 1000, None, encode_enriched(click(T, f"u{n}", **of("a")))) for n in range(30)]
    service.run(OneBatch(records, advance))  # type: ignore[arg-type] # without `close`
    service.on_revoked(0)
    assert gauges.sales_counted_as_other == 20
    assert reasons[0] is None
    (reason,) = set(reasons) - {None}
    assert reason is not None
    assert reason.startswith("sales beyond MAX_SALES=10 of a partition count as (other)")
    assert "raise MAX_SALES" in reason
    assert reasons[-1] is None
