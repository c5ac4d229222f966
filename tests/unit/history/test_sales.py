"""What an event with a value counts as, and which of the events of one order counts."""

from decimal import Decimal

import pytest

from services.history.rows import row_of
from services.history.sales import Sale, order_digest, sale_of, tie_of
from shared.events.schema import EnrichedEvent


@pytest.mark.parametrize(
    ("value", "event_type", "sale"),
    [
        ("0", "page_view", "order"),
        ("0.000001", "purchase", "order"),
        ("5", "refund", "order"),  # the sign decides
        ("5", "purchase_line", "order_line"),
        ("5", "refund_line", "order_line"),
        ("-0.000001", "purchase", "refund"),
        ("-5", "refund_line", "refund_line"),
        ("-5", "purchase_line", "refund_line"),
    ],
)
def test_the_sign_tells_orders_from_refunds_and_the_type_their_lines(value: str, event_type: str, sale: Sale) -> None:
    assert sale_of(Decimal(value), event_type) == sale


def test_an_order_repeats_whatever_its_value_and_a_refund_by_one_amount() -> None:
    order = order_digest("1001", Decimal("19.99"))
    assert order == order_digest("1001", Decimal(0))
    refund = order_digest("1001", Decimal("-5"))
    assert refund == order_digest("1001", Decimal("-5.000000"))
    assert len({order, refund, order_digest("1001", Decimal("-5.000001")), order_digest("1002", Decimal(1))}) == 4


def test_at_one_instant_a_line_counts_after_every_order() -> None:
    fields = [[number] for number in range(100)]
    orders = {tie_of(own, "order") for own in fields} | {tie_of(own, "refund") for own in fields}
    lines = {tie_of(own, "order_line") for own in fields} | {tie_of(own, "refund_line") for own in fields}
    assert (len(orders), len(lines)) == (100, 100)
    assert max(orders) < min(lines)
    assert -(2**63) <= min(orders) < max(lines) < 2**63


def test_only_sales_with_an_order_id_may_repeat() -> None:
    assert row_of(EnrichedEvent(timestamp=0, userId="ada", value="5", orderId="")).order == (None, None)
    assert row_of(EnrichedEvent(timestamp=0, userId="ada", orderId="1001")).order == (None, None)
    digest, tie = row_of(EnrichedEvent(timestamp=0, userId="ada", value="5", orderId="1001")).order
    assert digest == order_digest("1001", Decimal(5))
    assert tie is not None


@pytest.mark.parametrize(("sent", "stored"), [(None, None), ("", None), ("eur", "EUR"), ("€", "XXX")])
def test_currencies_are_those_of_aggregate(sent: str | None, stored: str | None) -> None:
    assert row_of(EnrichedEvent(timestamp=0, userId="ada", currency=sent)).currency == stored


def test_digests_never_change() -> None:
    """They are in the databases of users."""
    assert order_digest("1001", Decimal("-0.5")) == 2_556_939_604_163_232_386
