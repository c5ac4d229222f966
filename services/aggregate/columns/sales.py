"""Sales as columns: an event with a value is an order, or a refund when its value is negative."""

from typing import Final, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.names import OTHER_CODE

SALE: Final = np.dtype(
    [
        ("value", np.int64),  # millionths
        ("second", np.uint32),  # epoch second of the event
        *((dimension.name, np.int32) for dimension in REVENUE_DIMENSIONS),  # as in `batch.ROW`
        ("currency", np.uint16),  # see `currency_code`
        ("bot", np.uint8),
        ("line", np.uint8),  # 1: a further event of an order or a refund
    ],
    align=True,
)
"""A counted sale: an event with a repeated orderId is none."""

NO_SALES: Final = np.empty(0, SALE)
NO_CURRENCY_CODE: Final = 0
"""The event has no currency: its amount is in the reporting currency."""

_LETTERS: Final = 26
MOST_CURRENCIES: Final = _LETTERS**3
OTHER_CURRENCY_CODE: Final = MOST_CURRENCIES + 1
"""Stands for several currencies: their sales are counted, and their amounts, which cannot be added, never shown."""
MOST_SALES: Final = 250_000
"""The limit unless a site sets one: about eight sales a second, day and night, in each partition."""


class Sold(NamedTuple):
    """The counted sales of a batch, and the digests of the orders that are new with them, with their arrival."""

    sales: Array
    others: Array
    """The sales beyond the limit, see `as_others`."""
    orders: Digests
    order_arrival_s: Ints


NOTHING_SOLD: Final = Sold(NO_SALES, NO_SALES, np.empty((0, 2), np.uint64), np.empty(0, np.int64))

_A: Final = ord("A")
_WINDOW_SHIFT: Final = 31
_CODE: Final = (1 << _WINDOW_SHIFT) - 1
_BOT_SHIFT: Final = 32
_CURRENCY_SHIFT: Final = 33
_LOW: Final = (1 << _BOT_SHIFT) - 1


def currency_code(currency: str) -> int:
    """A number for a currency of three capital letters.

    >>> currency_text(currency_code("EUR"))
    'EUR'
    """
    first, second, third = (ord(letter) - _A for letter in currency)
    return 1 + (first * _LETTERS + second) * _LETTERS + third


def currency_text(code: int) -> str:
    """The currency with this number, which is not NO_CURRENCY_CODE."""
    rest, third = divmod(code - 1, _LETTERS)
    return "".join(chr(_A + letter) for letter in (*divmod(rest, _LETTERS), third))


def as_others(sales: Array, reporting: int) -> Array:
    """Sales without what needs memory for each: their names, and any currency but the reporting one.

    So the sums of a second have few kinds of them, whoever chooses names and currencies.
    """
    others = sales.copy()
    for dimension in REVENUE_DIMENSIONS:
        names = others[dimension.name]
        names[names >= 0] = OTHER_CODE
    currency = others["currency"]
    currency[(currency != NO_CURRENCY_CODE) & (currency != reporting)] = OTHER_CURRENCY_CODE
    return others


def sale_keys(sales: Array, low: Ints | int) -> Ints:
    """The key of each sale in a ledger: its currency, its audience, and a number from 0 below 2³²."""
    keys: Ints = sales["currency"].astype(np.int64) << _CURRENCY_SHIFT
    keys |= sales["bot"].astype(np.int64) << _BOT_SHIFT
    keys |= low
    return keys


def currencies_of(keys: Ints) -> Ints:
    """The code of the currency in each key."""
    return keys >> _CURRENCY_SHIFT


def bots_of(keys: Ints) -> Ints:
    """1 in each key of the bot audience."""
    return (keys >> _BOT_SHIFT) & 1


def numbers_of(keys: Ints) -> Ints:
    """The number in each key."""
    return keys & _LOW


def named_keys(sales: Array, code: Ints, window: int) -> Ints:
    """The key of each sale for the sums by name: its number is the code of a name and the place of a window."""
    return sale_keys(sales, code | (window << _WINDOW_SHIFT))


def codes_of(keys: Ints) -> Ints:
    """The code of the name in each key of `named_keys`."""
    return keys & _CODE


def windows_of(keys: Ints) -> Ints:
    """The place of the window in each key of `named_keys`."""
    return (keys >> _WINDOW_SHIFT) & 1
