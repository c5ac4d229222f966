"""The figures that a long window shows as curve and breakdown, and how they are written. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from services.dashboard.explore.choices import MEASURES
from services.dashboard.kit.money import money
from services.dashboard.kit.wording import grouped, rate

LongMeasure = Literal["views", "visitors", "revenue", "orders", "profit", "refunded"]
Number = int | Decimal
"""A count, or an amount of money."""

LABELS: Final[Mapping[LongMeasure, str]] = {
    "views": MEASURES["views"],
    "visitors": MEASURES["visitors"],
    "revenue": "Revenue",
    "orders": "Orders",
    "profit": "Profit",
    "refunded": "Refunds",
}
BESIDE: Final[Mapping[LongMeasure, LongMeasure]] = {
    "views": "visitors",
    "visitors": "views",
    "revenue": "orders",
    "orders": "revenue",
    "profit": "revenue",
    "refunded": "revenue",
}
"""What key figures and breakdown show next to each."""

SALES_METRICS: Final = ("revenue", "orders", "profit", "refunded", "refunds", "without_cost")
"""What history is asked for any figure of sales."""

SESSIONS_METRICS: Final = "sessions,bounces,bounce_rate,views_per_session,seconds_per_session"

AMOUNTS: Final = ("revenue", "profit", "refunded")


def is_sales(measure: LongMeasure) -> bool:
    """Whether it is a figure of sales, which has a currency."""
    return measure not in MEASURES


def written(number: Number, measure: LongMeasure, currency: str) -> str:
    """A figure with its thousands, and an amount with its currency."""
    return money(Decimal(number), currency) if measure in AMOUNTS else grouped(int(number))


def written_mean(sum_of: Number, number: int, measure: LongMeasure, currency: str) -> str:
    """The mean of so many figures."""
    return money(Decimal(sum_of) / number, currency) if measure in AMOUNTS else rate(float(sum_of) / number)


def written_change(difference: Number, measure: LongMeasure, currency: str) -> str:
    """A difference with its sign."""
    text = written(difference, measure, currency).replace("-", "−")
    return text if difference < 0 else f"+{text}"
