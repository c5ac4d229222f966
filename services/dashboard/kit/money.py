"""Amounts of money as pages write them: the currency's symbol, thousands and its minor units, exactly. Pure.

Symbols and minor units are those of the Unicode CLDR, which Babel carries.
"""

from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Final

from babel.numbers import format_currency, get_currency_symbol

from shared.events.amounts import NO_CURRENCY

_LOCALE: Final = "en"
_EXACT: Final = Context(prec=64)  # the contract has amounts of 36 digits
_REMEMBERED: Final = 4096


@lru_cache(maxsize=_REMEMBERED)
def money(amount: Decimal, currency: str) -> str:
    """An amount in a currency by its ISO 4217 code, rounded to the currency's minor unit.

    >>> money(Decimal("1240.5"), "EUR"), money(Decimal("-3"), "CHF"), money(Decimal("99.5"), "JPY")
    ('€1,240.50', '−CHF\\xa03.00', '¥100')
    """
    text = f"{amount:,.2f}" if currency == NO_CURRENCY else _with_symbol(amount, currency)
    # An amount that rounds to nothing has no sign.
    return text.replace("-", "−" if any(digit in text for digit in "123456789") else "", 1)


def _with_symbol(amount: Decimal, currency: str) -> str:
    with localcontext(_EXACT):
        text = format_currency(amount, currency, locale=_LOCALE)
    symbol = get_currency_symbol(currency, _LOCALE)
    return text.replace(symbol, f"{symbol}\u00a0", 1) if symbol[-1:].isalpha() else text


def currency_name(currency: str) -> str:
    """What to call a currency in a heading."""
    return "no currency" if currency == NO_CURRENCY else currency
