"""What history's API answers, checked and typed. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, field

from services.dashboard.explore.long_windows.measures import LongMeasure, Number

Instant = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]


class Row(Struct, frozen=True):
    """A bucket, a name or the whole window. A figure is None where nothing that is kept tells it."""

    start: Instant | None = field(name="from", default=None)
    end: Instant | None = field(name="to", default=None)
    name: str = ""
    views: Count | None = None
    visitors: Count | None = None
    visitor_days: Count | None = None
    revenue: Decimal | None = None
    orders: Count | None = None
    profit: Decimal | None = None  # without the cost of sales that have none
    refunded: Decimal | None = None
    refunds: Count | None = None
    without_cost: Count | None = None
    sessions: Count | None = None
    bounces: Count | None = None
    bounce_rate: float | None = None
    views_per_session: float | None = None
    seconds_per_session: float | None = None

    @property
    def is_cost_unknown(self) -> bool:
        """Whether no sale says its cost, so that there is no profit to show."""
        return bool(self.without_cost) and self.profit == self.revenue


class Span(Struct, frozen=True):
    """The window that is answered for."""

    start: Instant = field(name="from")
    end: Instant = field(name="to")


class Earlier(Struct, frozen=True):
    """The window to compare with. Rows at the same place, or of the same name, belong together."""

    window: Span
    notes: Sequence[str]
    rows: Sequence[Row]


class Said(Struct, frozen=True):
    """An answer. `more` is how many names a breakdown leaves out; `currency` is that of all amounts, if any."""

    window: Span
    notes: Sequence[str]
    rows: Sequence[Row]
    as_of: Instant | None = None
    since: Instant | None = None
    more: Count = 0
    compare: Earlier | None = None
    currency: str = ""


def number_of(row: Row, measure: LongMeasure) -> Number | None:
    """A figure; where distinct visitors are unknown, the sum of those of each day."""
    if measure == "visitors":
        return row.visitor_days if row.visitors is None else row.visitors
    if measure == "profit" and row.is_cost_unknown:
        return None
    number: Number | None = getattr(row, measure)
    return number


def known_number(row: Row, said: Said, measure: LongMeasure) -> Number | None:
    """The figure of a bucket; None also for one that was over before history began."""
    if said.since is None or (row.end is not None and row.end <= said.since):
        return None
    return number_of(row, measure)


def is_kept(span: Span | Row, said: Said) -> bool:
    """Whether history had begun when a window or a bucket did."""
    return span.start is not None and said.since is not None and said.since <= span.start


def ms(instant: datetime) -> int:
    """As epoch ms."""
    return round(instant.astimezone(UTC).timestamp() * 1000)
