"""History's sales on a real PostgreSQL: each order counts once, at its first event, whatever the order of arrival."""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.history.rows import row_of
from services.history.sales import tie_of
from services.history.sql.migrating import migrate
from services.history.sql.sales import SALES_BUCKETS, SALES_DIMENSIONS
from services.history.sql.store import Store
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS
from shared.streams.event_log import Record
from tests.contract.test_history_store import (
    TODAY,
    TOPIC,
    TRUNCATE,
    Interrupted,
    Interruptible,
    batch,
    claim,
    event,
    origins,
    query,
    records,
    retire,
)
from tests.contract.test_history_store import store as store
from tests.support.oracle.recomputed_history import wrong_rows

pytestmark = pytest.mark.timeout(300)

FIGURES = "sales, orders, refunds, quantity, sold, refunded, cost, without_cost"
DOCUMENT = Path(__file__).parents[2] / "docs" / "history.md"
HOUR_MS = 3_600_000
LINES = ("purchase_line", "refund_line")

Key = tuple[Any, ...]


def rollup(url: str, table: str) -> dict[Key, Key]:
    rows = query(
        url,
        f"SELECT date_trunc('second', bucket), s.name, c.name, dimension, n.name, {FIGURES} FROM {table} "
        "JOIN names s ON s.id = site_id JOIN names c ON c.id = currency_id JOIN names n ON n.id = name_id",
    )
    return {row[:5]: row[5:] for row in rows}


def counted(events: Sequence[EnrichedEvent]) -> list[EnrichedEvent]:
    """The sales that count: of those with one order, or refund by one amount, the first."""
    first: dict[Any, EnrichedEvent] = {}
    for place, own in enumerate(sorted(events, key=_before)):
        if isinstance(own.value, str):
            refunded = min(Decimal(own.value), Decimal(0))
            first.setdefault((own.userId, own.orderId, refunded) if own.orderId else place, own)
    return list(first.values())


def _before(own: EnrichedEvent) -> tuple[int, int]:
    row = row_of(own)
    return own.timestamp, 0 if row.sale is None else tie_of(row, row.sale)


def brute_force(events: Sequence[EnrichedEvent], span: str) -> dict[Key, Key]:
    sums: dict[Key, list[Any]] = defaultdict(lambda: [0] * 4 + [Decimal(0)] * 3 + [0])
    for own in counted(events):
        assert isinstance(own.value, str)
        value, is_line = Decimal(own.value), own.eventType in LINES
        cost = Decimal(own.cost) if isinstance(own.cost, str) else None
        reset = {"minute": {"second": 0}, "hour": {"minute": 0, "second": 0}}
        start = own.datetime.replace(microsecond=0, **reset.get(span, {"hour": 0, "minute": 0, "second": 0}))  # type: ignore[arg-type]
        names = {
            "all": "",
            "product": own.productId,
            "category": own.category,
            "platform": own.platform,
            **{name: named for name, named in origins(own).items() if name != "page"},
            "country": own.country,
            "device": own.deviceType,
        }
        for dimension, name in names.items():
            if name is None:
                continue
            figures = sums[start, own.site or "", own.currency or "", dimension, name]
            is_whole = not is_line or dimension in ("product", "category")
            figures[0] += 1
            figures[1] += value >= 0 and is_whole
            figures[2] += value < 0 and is_whole
            figures[3] += own.quantity if value >= 0 and isinstance(own.quantity, int) else 0
            figures[4] += max(value, Decimal(0))
            figures[5] -= min(value, Decimal(0))
            figures[6] += cost or 0
            figures[7] += value >= 0 and cost is None
    return {key: tuple(figures) for key, figures in sums.items()}


SALES = st.builds(
    event,
    st.sampled_from(["ada", "bea"]),
    ago_ms=st.one_of(st.integers(0, 3), st.integers(0, 120_000), st.integers(0, 3 * DAY_MS)),
    value=st.sampled_from(["19.99", "0", "0.000001", "1000000000000", "-5", "-0.5"]),
    currency=st.sampled_from([None, "EUR", "USD"]),
    orderId=st.sampled_from([None, "1001", "1001", "1002"]),
    eventType=st.sampled_from([None, "purchase", "purchase_line", "refund", "refund_line"]),
    quantity=st.sampled_from([None, 0, 2]),
    cost=st.sampled_from([None, "0", "7.5", "-1"]),
    productId=st.sampled_from([None, "P1"]),
    category=st.sampled_from([None, "shoes"]),
    platform=st.sampled_from([None, "web"]),
    site=st.sampled_from([None, "shop.example"]),
    url=st.sampled_from([None, "https://shop.example/thanks?utm_campaign=spring"]),
    referrer=st.sampled_from([None, "https://www.google.com/"]),
)
VIEWS = st.builds(event, st.sampled_from(["ada", "bea"]), ago_ms=st.integers(0, 120_000), orderId=st.just("1001"))


@given(data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sales_equal_brute_force_in_any_order_and_batches(
    history_url: str, store: Interruptible, data: st.DataObject
) -> None:
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute(TRUNCATE)
    events = data.draw(st.lists(st.one_of(SALES, SALES, VIEWS), max_size=20))
    log = records(events)
    place = claim(store)
    while place.next_offset < len(log):
        of = log[place.next_offset :][: data.draw(st.integers(1, 6))]
        store.is_failing = data.draw(st.sampled_from([False, False, True]))
        with suppress(Interrupted):
            store.write(batch(of), {0: place})
        store.is_failing = False
        place = claim(store)
    for table, span in SALES_BUCKETS.items():
        assert rollup(history_url, table) == brute_force(events, span)
    assert wrong_rows(history_url) == []


def totals(url: str) -> list[tuple[Any, ...]]:
    """Of the hours: start, orders, refunds, and revenue."""
    return query(
        url,
        "SELECT extract(hour FROM bucket)::int, orders, refunds, sold - refunded FROM sales_1h "
        "WHERE dimension = 'all' ORDER BY bucket",
    )


def sell(store: Store, *events: EnrichedEvent) -> None:
    place = claim(store)
    store.write(batch(records(events, first_offset=place.next_offset)), {0: place})


def test_a_repeated_order_counts_at_its_first_event_even_if_that_is_late(history_url: str, store: Store) -> None:
    sell(store, event(value="20", orderId="1001", ago_ms=HOUR_MS))
    sell(store, event(value="21", orderId="1001", ago_ms=1), event("bea", value="1", orderId="1001"))
    assert totals(history_url) == [(11, 2, 0, 21)]
    sell(store, event(value="19", orderId="1001", ago_ms=26 * HOUR_MS), event(value="22", orderId="1001", ago_ms=0))
    assert totals(history_url) == [(10, 1, 0, 19), (11, 1, 0, 1)]
    assert query(
        history_url, "SELECT name, revenue FROM sales JOIN visitors ON visitors.id = visitor_id ORDER BY 1"
    ) == [
        ("ada", 19),
        ("bea", 1),
    ]


def test_partial_refunds_count_and_repeated_ones_do_not(history_url: str, store: Store) -> None:
    refunds = [
        event(value=value, orderId="1001", ago_ms=1000 + number) for number, value in enumerate(("-5", "-5", "-2"))
    ]
    sell(store, event(value="20", orderId="1001", ago_ms=5000), *refunds)
    assert totals(history_url) == [(11, 1, 2, 13)]


def test_lines_add_revenue_and_count_as_orders_of_their_product(history_url: str, store: Store) -> None:
    first = event(value="20", orderId="1001", productId="P1", eventType="purchase", platform="web")
    line = event(value="5", orderId="1001-2", productId="P2", eventType="purchase_line", platform="web")
    sell(store, line, first)
    rows = query(
        history_url,
        "SELECT dimension::text, name, orders, sold FROM sales_1d JOIN names ON names.id = name_id "
        "WHERE dimension IN ('all', 'product', 'platform') ORDER BY 1, 2",
    )
    assert rows == [("all", "", 1, 25), ("platform", "web", 1, 25), ("product", "P1", 1, 20), ("product", "P2", 1, 5)]


def test_an_order_that_was_counted_stays_counted_when_its_day_is_dropped(history_url: str, store: Store) -> None:
    sell(store, event(value="20", orderId="1001", ago_ms=2 * DAY_MS))
    assert len(retire(store, raw_days=1)) == 1
    sell(store, event(value="20", orderId="1001"))
    assert query(history_url, "SELECT sum(orders) FROM sales_1d WHERE dimension = 'all'") == [(1,)]
    store.retire(TODAY, raw_days=1, minute_days=1)
    assert query(history_url, "SELECT count(*) FROM sales_1m") == [(0,)]


def test_an_erased_visitor_leaves_no_orders(history_url: str, store: Store) -> None:
    sell(store, event(value="20", orderId="1001"))
    with psycopg.connect(history_url) as connection:
        connection.execute("DELETE FROM visitors WHERE name = 'ada'")
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_every_dimension_of_sales_is_counted(history_url: str, store: Store) -> None:
    assert claim(store)
    (values,) = query(history_url, "SELECT enum_range(NULL::sales_dimension)::text[]")
    assert values[0] == [name for name, _ in SALES_DIMENSIONS]


def test_the_statements_of_the_docs_run_and_find_the_events_of_today(history_url: str) -> None:
    migrate(lambda: history_url)
    # Marked blocks have a test of their own.
    blocks = re.findall(r"(?<!-->\n)```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    examples = [example.strip() for block in blocks for example in block.split(";\n") if example.strip()]
    with (
        psycopg.connect(history_url, options="-c timezone=UTC") as connection,
        closing(Store(lambda: history_url, TOPIC)) as store,
    ):
        (now,) = connection.execute("SELECT now()").fetchone() or ()  # the same in all of the transaction
        store.write(batch(_events_of_docs(int(now.timestamp() * 1000))), {0: claim(store)})
        answers = {
            example: cursor.fetchall()
            for example in examples
            for cursor in [connection.execute(sql.SQL(example))]
            if cursor.description
        }
        today = connection.execute("SELECT * FROM sales_and_profit_today").fetchall()
    assert len(answers) >= 12
    assert [example for example, rows in answers.items() if not rows] == []
    assert today == [("web", "shoes", "EUR", 20, Decimal("7.5"))]


def _events_of_docs(now_ms: int) -> list[Record]:
    sold: dict[str, Any] = {"value": "20", "cost": "12.5", "currency": "EUR", "platform": "web"}
    url = "https://shop.example/thanks?utm_campaign=spring"
    order = event(productId="P1", orderId="1001", url=url, quantity=2, category="shoes", title="Boot", **sold)
    own = [msgspec.structs.replace(own, timestamp=now_ms) for own in (order, order, event("bea", productId="P2"))]
    return [Record(0, offset, now_ms, None, encode_enriched(event)) for offset, event in enumerate(own)]
