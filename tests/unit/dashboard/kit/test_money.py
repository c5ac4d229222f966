"""Amounts of money are exact, and written as their currency is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.kit.money import currency_name, money


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1240.5", "EUR", "€1,240.50"),
        ("-75", "EUR", "−€75.00"),
        ("0", "USD", "$0.00"),
        ("1234567.895", "GBP", "£1,234,567.90"),
        ("99.5", "JPY", "¥100"),  # no minor unit
        ("1.2345", "KWD", "KWD\u00a01.234"),  # thousandths, half to even
        ("12.5", "CHF", "CHF\u00a012.50"),
        ("-0.001", "EUR", "€0.00"),
        ("3.5", "XXX", "3.50"),
        ("3.5", "QQQ", "QQQ\u00a03.50"),  # nobody's currency
    ],
)
def test_an_amount_is_written_as_its_currency_is(amount: str, currency: str, expected: str) -> None:
    assert money(Decimal(amount), currency) == expected


@given(st.decimals(min_value=-(10**30), max_value=10**30, places=6))
def test_no_digit_is_lost(amount: Decimal) -> None:
    text = money(amount, "EUR").replace("€", "").replace(",", "").replace("−", "-")
    assert abs(Decimal(text) - amount) <= Decimal("0.005")


def test_the_currency_of_amounts_without_one_has_a_name() -> None:
    assert (currency_name("XXX"), currency_name("EUR")) == ("no currency", "EUR")
