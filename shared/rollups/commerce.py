"""Goals and revenue as publisher and readers exchange them. Pure. Amounts are exact decimals, never floats."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MOST_GOALS: Final = 32
DEFAULT_CURRENCY: Final = "EUR"
REVENUE_WINDOWS: Final = ("1h", "8h")
CURRENCIES_SHOWN: Final = 32
OTHER_CURRENCIES: Final = "(other)"
"""All currencies beyond CURRENCIES_SHOWN: their orders and refunds add up, their amounts do not."""
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCounts:
    """One goal, by WINDOW_SECONDS."""

    conversions: Mapping[str, int]  # events that reach the goal
    visitors: Mapping[str, int]  # distinct visitors with such an event
    rate: Mapping[str, float]  # of all visitors of the audience and window, 4 decimals; 0 without any


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """The sales in one currency. All 0 when there are none."""

    currency: str
    revenue_1h: Decimal = _ZERO  # sales − refunds
    orders_1h: int = 0
    average_order_1h: Decimal = _ZERO  # sales ÷ orders, refunds left out
    refunds_1h: int = 0
    refunded_1h: Decimal = _ZERO  # at least 0
    revenue_8h: Decimal = _ZERO
    orders_8h: int = 0
    average_order_8h: Decimal = _ZERO
    refunds_8h: int = 0
    refunded_8h: Decimal = _ZERO

    @property
    def has_sales(self) -> bool:
        """Whether there was a sale in the last eight hours. A line may be there without its order."""
        return self.orders_8h > 0 or self.refunds_8h > 0 or self.revenue_8h != 0


@dataclass(frozen=True, slots=True)
class Sales:
    """What one product, category, source or campaign sold, in the reporting currency."""

    revenue: Decimal
    orders: int
