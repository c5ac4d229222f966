"""The sales of a day as the API of history tells them. Pure. Amounts are exact decimals; instants are epoch ms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

_ZERO: Final = Decimal(0)
_NO_CURRENCY: Final = ""
"""The name of amounts without a currency, which are in the reporting currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums of sales in one currency."""

    revenue: Decimal = _ZERO  # sales − refunds
    profit: Decimal = _ZERO  # revenue − cost, as far as it is known
    orders: int = 0
    refunds: int = 0
    refunded: Decimal = _ZERO  # at least 0
    quantity: int = 0
    without_cost: int = 0  # orders and further lines whose cost is unknown

    @property
    def sold(self) -> Decimal:
        """The amount before refunds."""
        return self.revenue + self.refunded

    @property
    def is_cost_unknown(self) -> bool:
        """Whether no sale said what it cost, so that there is no profit to show."""
        return self.without_cost > 0 and self.profit == self.revenue

    @property
    def has_sales(self) -> bool:
        """Whether anything was sold or refunded."""
        return self.orders > 0 or self.refunds > 0 or self.revenue != 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            revenue=self.revenue + other.revenue,
            profit=self.profit + other.profit,
            orders=self.orders + other.orders,
            refunds=self.refunds + other.refunds,
            refunded=self.refunded + other.refunded,
            quantity=self.quantity + other.quantity,
            without_cost=self.without_cost + other.without_cost,
        )


NOTHING: Final = Sums()


@dataclass(frozen=True, slots=True)
class Hour:
    """The sums of an hour, or of what a day has of it."""

    starts_ms: int
    ends_ms: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Earlier:
    """A day that today is compared with: its start, its sums until this time of day, and its hours."""

    starts_ms: int
    until_now: Sums
    hours: Sequence[Hour]


@dataclass(frozen=True, slots=True)
class Leading:
    """The leading names of a breakdown, and how many are left out."""

    names: Sequence[tuple[str, Sums]]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesDay:
    """The sales of a viewer's day until now."""

    starts_ms: int
    ends_ms: int  # of the day
    as_of_ms: int | None  # when the newest event that history has read arrived; None before the first
    since_ms: int | None  # the hour of the first event that history has
    currency: str  # the reporting one, that of all figures but `currencies`
    total: Sums
    hours: Sequence[Hour]
    yesterday: Earlier | None  # None: history does not reach back to its start
    last_week: Earlier | None
    categories: Leading
    platforms: Leading
    by_revenue: Leading  # products by their ids
    by_profit: Leading
    by_refunded: Leading  # empty without refunds
    currencies: Sequence[tuple[str, Sums]]  # the others, each for itself
    titles: Mapping[str, str] = field(default_factory=dict)  # of products, as far as they are known; may be empty

    @property
    def products(self) -> Sequence[str]:
        """Those with a figure, the leading ones first."""
        rankings = (self.by_revenue, self.by_profit, self.by_refunded)
        return list(dict.fromkeys(product for ranking in rankings for product, _ in ranking.names))


class Row(msgspec.Struct, rename={"from_": "from"}):
    """A row of an answer; None is unknown."""

    name: str = ""
    from_: datetime | None = None
    to: datetime | None = None
    revenue: Decimal | None = None
    profit: Decimal | None = None
    orders: int | None = None
    refunds: int | None = None
    refunded: Decimal | None = None
    quantity: int | None = None
    without_cost: int | None = None

    @property
    def sums(self) -> Sums | None:
        """Its figures; None if they are unknown."""
        if self.revenue is None or self.profit is None or self.orders is None:
            return None
        return Sums(
            revenue=self.revenue,
            profit=self.profit,
            orders=self.orders,
            refunds=self.refunds or 0,
            refunded=self.refunded or _ZERO,
            quantity=self.quantity or 0,
            without_cost=self.without_cost or 0,
        )


class _Compared(msgspec.Struct):
    rows: list[Row]


class Answer(msgspec.Struct):
    """What the Sales page uses of an answer."""

    rows: list[Row]
    as_of: datetime | None = None
    since: datetime | None = None
    currency: str = ""
    more: int = 0
    compare: _Compared | None = None

    @property
    def as_of_ms(self) -> int | None:
        """When the newest event that history has read arrived in the event log."""
        return _ms(self.as_of)

    @property
    def since_ms(self) -> int | None:
        """The hour of the first event."""
        return _ms(self.since)

    @property
    def hours(self) -> Sequence[Hour]:
        """The rows of a time series, as far as they are known."""
        return [
            Hour(starts_ms, ends_ms, sums)
            for row in self.rows
            if (starts_ms := _ms(row.from_)) is not None
            and (ends_ms := _ms(row.to)) is not None
            and (sums := row.sums) is not None
        ]

    @property
    def leading(self) -> Leading:
        """The rows of a breakdown."""
        return Leading([(row.name, row.sums or NOTHING) for row in self.rows], self.more)

    @property
    def compared(self) -> Sums | None:
        """The only row of the window to compare with; None if it is unknown."""
        rows = [] if self.compare is None else self.compare.rows
        return rows[0].sums if rows else None


def read_answer(body: bytes) -> Answer:
    """Raises msgspec.DecodeError for what is no answer of this kind."""
    return _decode(body)


_decode: Final = msgspec.json.Decoder(Answer).decode


def other_currencies(rows: Iterable[Row], reporting: str) -> Sequence[tuple[str, Sums]]:
    """What was sold in others than the reporting currency, most orders first."""
    return [
        (row.name, sums)
        for row in rows
        if row.name not in (_NO_CURRENCY, reporting) and (sums := row.sums) is not None and sums.has_sales
    ]


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)
