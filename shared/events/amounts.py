"""Amounts of money: decimals with at most six places, exact at every step and never a float. Pure.

An event carries an amount as canonical text, which every reader understands; figures add up whole millionths.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

PLACES: Final = 6
MILLION: Final = 10**PLACES
GREATEST_AMOUNT: Final = 10**12
"""In units of the currency, either sign. A greater one is a mistake: no site sells for a trillion at once."""
EXPECTED_AMOUNT: Final = f"a number such as 19.99, from -{GREATEST_AMOUNT:,} to {GREATEST_AMOUNT:,}"
NO_CURRENCY: Final = "XXX"
"""ISO 4217's code for "no currency": of an amount whose currency is not three letters."""

_LOOSE: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST: Final = 64  # characters: a double takes 24, a column of a database 38 digits
_MILLIONTH: Final = Decimal(1).scaleb(-PLACES)
_EXACT: Final = Context(prec=2 * _LONGEST, rounding=ROUND_HALF_EVEN)
_MOST_DIGITS: Final = 14  # before the point, to quantize only what may be in range
ORDER_LINE: Final = "purchase_line"
REFUND_LINE: Final = "refund_line"
"""Types of the further events of an order or a refund: they add revenue, and the first event stands for the order."""

CURRENCY: Final = r"\A[A-Z]{3}\Z"
"""Matches what `currency_of` returns as it is."""
CANONICAL_AMOUNT: Final = r"\A(?!-0\Z)-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{0,5}[1-9])?\Z"
"""Matches what `canonical_amount` returns as it is, but for the greatest amounts."""

_CURRENCY: Final = re.compile(CURRENCY)


def millionths_of(text: str) -> int | None:
    """An amount as whole millionths, rounded half to even; None for text that is no amount, or out of range.

    >>> millionths_of("19.99"), millionths_of("1e3"), millionths_of("0.30000000000000004"), millionths_of("12,50")
    (19990000, 1000000000, 300000, None)
    """
    if len(text) > _LONGEST or _LOOSE.fullmatch(text) is None:
        return None
    amount = Decimal(text)
    if amount and amount.adjusted() > _MOST_DIGITS:
        return None
    millionths = int(amount.quantize(_MILLIONTH, context=_EXACT).scaleb(PLACES, context=_EXACT))
    return millionths if abs(millionths) <= GREATEST_AMOUNT * MILLION else None


def amount_text(millionths: int) -> str:
    """Millionths as canonical text: no exponent, no zeros at the end, no sign for zero.

    >>> amount_text(19990000), amount_text(-5000000), amount_text(1)
    ('19.99', '-5', '0.000001')
    """
    units, rest = divmod(abs(millionths), MILLION)
    fraction = f".{rest:0{PLACES}}".rstrip("0").rstrip(".")
    return f"{'-' if millionths < 0 else ''}{units}{fraction}"


def canonical_amount(text: str) -> str | None:
    """An amount as canonical text; None for other text."""
    millionths = millionths_of(text)
    return None if millionths is None else amount_text(millionths)


def currency_of(text: str) -> str:
    """The code of a currency in upper case, by ISO 4217; NO_CURRENCY for what is not three letters.

    >>> currency_of("eur"), currency_of("€")
    ('EUR', 'XXX')
    """
    code = text.strip().upper()
    return code if _CURRENCY.match(code) is not None else NO_CURRENCY
