"""Revenue: an event with a value is an order, or a refund when it is negative; an order counts once."""

from decimal import Decimal
from typing import Any

import pytest

from shared.rollups.commerce import OTHER_CURRENCIES, Revenue, Sales
from shared.rollups.contract import AudienceRollup
from tests.support.oracle.timeline import NOON, T, Timeline, click, published


def sale(second: int, value: str, user: str = "ada", **fields: Any) -> Any:
    return click(second, user, value=value, **fields)


def orders(rollup: AudienceRollup) -> tuple[str, int, int]:
    """Revenue, orders and refunds of the last hour."""
    return f"{rollup.revenue.revenue_1h:f}", rollup.revenue.orders_1h, rollup.revenue.refunds_1h


def test_nothing_is_sold_without_a_value() -> None:
    rollup = published(click(T, eventType="purchase", orderId="1"))
    assert rollup.revenue == Revenue(currency="EUR")
    assert not rollup.revenue.has_sales
    assert set(rollup.revenue_1m.values()) == set(rollup.revenue_30m.values()) == {Decimal(0)}
    assert (rollup.other_currencies, rollup.revenue_products_1h, rollup.revenue_campaigns_8h) == ({}, {}, {})


def test_a_refund_reduces_revenue_and_is_no_order() -> None:
    rollup = published(sale(T - 9, "100"), sale(T - 5, "20.50", "bea"), sale(T, "-30.25"))
    revenue = rollup.revenue
    assert (revenue.revenue_1h, revenue.orders_1h) == (Decimal("90.25"), 2)
    assert (revenue.refunds_1h, revenue.refunded_1h) == (1, Decimal("30.25"))
    assert revenue.average_order_1h == Decimal("60.25")  # refunds left out


def test_average_is_rounded_half_to_even() -> None:
    assert published(*(sale(T, value) for value in ("0.000001", "0"))).revenue.average_order_1h == 0
    assert published(*(sale(T, value) for value in ("10", "0", "0"))).revenue.average_order_1h == Decimal("3.333333")


@pytest.mark.parametrize(("second", "hour", "eight_hours"), [
    (T - 3599, 1, 1), (T - 3600, 0, 1), (T - 28_799, 0, 1), (T - 28_800, 0, 0),
])  # fmt: skip
def test_a_sale_leaves_each_window_to_the_second(second: int, hour: int, eight_hours: int) -> None:
    revenue = published(sale(second, "5", productId="p"), arrival=second, instant=T).revenue
    assert (revenue.orders_1h, revenue.orders_8h) == (hour, eight_hours)
    assert (revenue.revenue_1h, revenue.revenue_8h) == (Decimal(5 * hour), Decimal(5 * eight_hours))


def test_a_sale_leaves_once_when_the_clock_moves_second_by_second() -> None:
    timeline = Timeline(T)
    timeline.arrive(T, sale(T, "5"), sale(T + 9, "7"))
    for second in range(T + 3590, T + 3612):
        left = [value for value, at in ((5, T), (7, T + 9)) if second - at < 3600]
        assert orders(timeline.everyone(second)) == (str(sum(left)), len(left), 0)


def test_a_late_sale_lands_where_it_happened() -> None:
    rollup = published(sale(NOON - 3600, "5"), sale(T, "7"))
    assert rollup.revenue_30m[(NOON - 3600) * 1000] == 5
    assert rollup.revenue_30m[NOON * 1000] == 7
    assert orders(rollup) == ("7", 1, 0)


def test_a_sale_ahead_of_the_clock_waits_for_its_second() -> None:
    timeline = Timeline(T)
    timeline.arrive(T, sale(T + 30, "5", productId="p", category="c", title="t"))
    assert orders(timeline.everyone(T + 29)) == ("0", 0, 0)
    rollup = timeline.everyone(T + 30)
    assert orders(rollup) == ("5", 1, 0)
    assert rollup.revenue_products_1h == {"p": Sales(Decimal(5), 1)}


# --- orders that repeat -----------------------------------------------------------------------------------------------


def test_a_repeated_order_counts_once_and_still_is_a_view() -> None:
    rollup = published(*(sale(T - ago, "5", orderId="1001") for ago in (9, 5, 0)))
    assert orders(rollup) == ("5", 1, 0)
    assert rollup.views["1h"] == 3


def test_a_repeated_order_counts_once_whatever_its_value_and_product() -> None:
    events = [sale(T, "5", orderId="1", productId="p"), sale(T, "7", orderId="1", productId="q", currency="USD")]
    rollup = published(*events)
    assert orders(rollup) == ("5", 1, 0)
    assert rollup.other_currencies == {}


def test_an_order_belongs_to_its_visitor() -> None:
    assert orders(published(sale(T, "5", orderId="1"), sale(T, "5", "bea", orderId="1"))) == ("10", 2, 0)


@pytest.mark.parametrize(("later", "counted"), [(3599, 1), (3600, 2)])
def test_a_repeated_order_is_known_for_an_hour_of_arrival(later: int, counted: int) -> None:
    timeline = Timeline(T)
    timeline.arrive(T, sale(T, "5", orderId="1"))
    timeline.arrive(T + later, sale(T + later, "5", orderId="1"))
    assert timeline.everyone(T + later).revenue.orders_8h == counted


def test_a_refund_may_have_the_order_that_it_refunds() -> None:
    events = [sale(T, value, orderId="1") for value in ("100", "-30", "-70", "-70")]
    assert orders(published(*events)) == ("0", 1, 2)  # two partial refunds, one of them sent twice


def test_an_empty_order_id_is_none() -> None:
    assert orders(published(sale(T, "5", orderId=""), sale(T, "5", orderId=""))) == ("10", 2, 0)


def test_an_event_sent_twice_is_no_second_sale() -> None:
    assert orders(published(sale(T, "5", eventId="e"), sale(T, "5", eventId="e"))) == ("5", 1, 0)


# --- currencies -------------------------------------------------------------------------------------------------------


def test_other_currencies_are_shown_apart_and_never_added() -> None:
    rollup = published(
        sale(T, "5", productId="p"), sale(T, "6", currency="eur"), sale(T, "1000", currency="JPY", productId="p"),
        sale(T, "1", currency="dollars"),
    )  # fmt: skip
    assert orders(rollup) == ("11", 2, 0)
    assert {currency: own.revenue_1h for currency, own in rollup.other_currencies.items()} == {"JPY": 1000, "XXX": 1}
    assert rollup.revenue_products_1h == {"p": Sales(Decimal(5), 1)}
    assert rollup.revenue_1m[(T - T % 60) * 1000] == 11


def test_thousands_of_currencies_are_few_entries() -> None:
    codes = [a + b + c for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ" for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    rollup = published(*(sale(T, "5", f"user {code}", currency=code) for code in codes), sale(T, "1", currency="ZWL"))
    shown = rollup.other_currencies
    assert len(shown) == 33
    assert list(shown)[:2] == ["AAA", "AAB"]
    assert shown[OTHER_CURRENCIES] == Revenue(
        currency=OTHER_CURRENCIES, orders_1h=len(codes) - 31, orders_8h=len(codes) - 31
    )


# --- rankings ---------------------------------------------------------------------------------------------------------


def test_ranking_is_by_revenue_and_ties_go_to_the_smaller_name() -> None:
    def of(product: str, value: str, **fields: Any) -> Any:
        return sale(T, value, productId=product, category=f"{product}s", title=product, **fields)

    rollup = published(
        of("b", "5"), of("a", "5"), of("c", "9"), of("d", "-2"), of("c", "-9"), of("e", "1", currency="USD")
    )
    expected = {
        "a": Sales(Decimal(5), 1),
        "b": Sales(Decimal(5), 1),
        "c": Sales(Decimal(0), 1),
        "d": Sales(Decimal(-2), 0),
    }
    assert list(rollup.revenue_products_1h.items()) == list(expected.items())
    assert list(rollup.revenue_categories_8h) == ["as", "bs", "cs", "ds"]


def test_ranking_keeps_the_hundred_greatest_of_many() -> None:
    events = [sale(T, str(number // 2), productId=f"{number:04}") for number in range(500)]
    rollup = published(*events)
    ranked = sorted(range(500), key=lambda number: (-(number // 2), f"{number:04}"))[:100]
    assert list(rollup.revenue_products_1h) == [f"{number:04}" for number in ranked]


def test_revenue_by_source_and_campaign() -> None:
    rollup = published(
        sale(T, "5", referrer="https://www.google.com/", url="/a?utm_campaign=spring&utm_source=mail&utm_medium=email")
    )
    assert rollup.revenue_sources_1h == {"google.com": Sales(Decimal(5), 1)}
    assert rollup.revenue_campaigns_8h == {"spring (mail / email)": Sales(Decimal(5), 1)}


# --- absurd values ----------------------------------------------------------------------------------------------------


def test_sums_of_the_greatest_amounts_do_not_overflow() -> None:
    greatest = "1000000000000"  # nine of them exceed what 64 bits hold in millionths
    rollup = published(*(sale(T, greatest, f"u{number}", productId="p") for number in range(1000)))
    assert orders(rollup) == ("1000000000000000", 1000, 0)
    assert rollup.revenue.average_order_8h == Decimal(greatest)
    assert rollup.revenue_products_8h == {"p": Sales(Decimal(greatest) * 1000, 1000)}
    assert rollup.revenue_1m[(T - T % 60) * 1000] == Decimal(greatest) * 1000


@pytest.mark.parametrize("value", ["1e30", "NaN", "Infinity", "12,50", "", "1000000000000.000001", "9" * 128])
def test_what_is_no_amount_is_no_sale(value: str) -> None:
    rollup = published(sale(T, value))
    assert orders(rollup) == ("0", 0, 0)
    assert rollup.views["1h"] == 1


def test_what_has_left_every_window_leaves_nothing() -> None:
    timeline = Timeline(T)
    timeline.arrive(T, *(sale(T, "5", f"u{number}", productId=f"p{number}", currency="USD") for number in range(50)))
    sales = timeline.partition._windows.sales  # noqa: SLF001 - what it keeps is the point
    timeline.publish(T + 9 * 3600)
    ledgers = [*sales.totals.values(), *sales.by_bucket.values(), *sales.by_name.values()]
    assert [len(ledger.sums.keys) for ledger in ledgers] == [0] * len(ledgers)
    assert sales.unsaved == set()


def test_an_order_of_several_lines_is_one_order() -> None:
    came_from = {"referrer": "https://google.com/"}
    order = {"productId": "p1", "category": "Books", "eventType": "purchase", "orderId": "1001"}
    line = {"productId": "p2", "category": "Toys", "eventType": "purchase_line", "orderId": "1001-2"}
    first, second = sale(T, "12.8", **order, **came_from), sale(T, "6.2", **line, **came_from)
    rollup = published(first, second, second)
    revenue = rollup.revenue
    assert (revenue.revenue_1h, revenue.orders_1h, revenue.average_order_1h) == (Decimal(19), 1, Decimal(19))
    assert rollup.revenue_products_1h == {"p1": Sales(Decimal("12.8"), 1), "p2": Sales(Decimal("6.2"), 1)}
    assert rollup.revenue_categories_1h == {"Books": Sales(Decimal("12.8"), 1), "Toys": Sales(Decimal("6.2"), 1)}
    assert rollup.revenue_sources_1h == {"google.com": Sales(Decimal(19), 1)}


def test_a_refund_of_several_lines_is_one_refund() -> None:
    rollup = published(
        sale(T, "-12.8", productId="p1", eventType="refund", orderId="1001"),
        sale(T, "-6.2", productId="p2", eventType="refund_line", orderId="1001-2"),
    )
    revenue = rollup.revenue
    assert (revenue.refunded_1h, revenue.refunds_1h, revenue.orders_1h) == (Decimal(19), 1, 0)
    assert rollup.revenue_products_1h["p2"] == Sales(Decimal("-6.2"), 0)


def test_a_line_without_its_order_has_revenue() -> None:
    rollup = published(sale(T, "6.2", productId="p2", eventType="purchase_line", referrer="https://google.com/"))
    assert (rollup.revenue.revenue_1h, rollup.revenue.orders_1h) == (Decimal("6.2"), 0)
    assert rollup.revenue.has_sales
    assert rollup.revenue_sources_1h == {"google.com": Sales(Decimal("6.2"), 0)}
