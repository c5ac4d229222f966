"""What is asked. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from services.history.questions.dimensions import Dimension
from services.history.questions.windows import Compare, Window

Kind = Literal["aggregate", "timeseries", "breakdown", "realtime", "events"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Traffic = Literal["views", "visitors"]
Sales = Literal["revenue", "orders", "profit", "refunds", "refunded", "quantity", "without_cost"]
Sessions = Literal["sessions", "bounces", "bounce_rate", "views_per_session", "seconds_per_session"]
Metric = Traffic | Sales | Sessions
TRAFFIC: Final[tuple[Traffic, ...]] = get_args(Traffic)
SALES: Final[tuple[Sales, ...]] = get_args(Sales)
SESSIONS: Final[tuple[Sessions, ...]] = get_args(Sessions)
METRICS: Final[tuple[Metric, ...]] = (*TRAFFIC, *SALES, *SESSIONS)
AMOUNTS: Final[tuple[Sales, ...]] = ("revenue", "profit", "refunded")
"""Amounts of money in one currency."""

RATIOS: Final[tuple[Sessions, ...]] = ("bounce_rate", "views_per_session", "seconds_per_session")
"""Fractions, which are unknown where there is no session; the others are counts."""

Distribution = Literal["age", "eventsPerVisitor"]
DISTRIBUTIONS: Final[tuple[Distribution, ...]] = get_args(Distribution)


class Filter(NamedTuple):
    """Only events that have one of the names; or with `is_excluded`, none of them."""

    dimension: Dimension
    names: tuple[str, ...]
    is_excluded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to history."""

    kind: Kind
    window: Window
    metrics: tuple[Metric, ...] = TRAFFIC
    currency: str = ""  # of the amounts; those without one are in it too
    filters: tuple[Filter, ...] = ()
    by: Dimension | None = None  # a breakdown has this
    distribution: Distribution | None = None  # or that
    limit: int = 100
    compare: Compare | None = None

    @property
    def traffic(self) -> bool:
        """Whether it asks for views or visitors."""
        return any(metric in TRAFFIC for metric in self.metrics)

    @property
    def sales(self) -> bool:
        """Whether it asks for figures of sales."""
        return any(metric in SALES for metric in self.metrics)

    @property
    def sessions(self) -> bool:
        """Whether it asks for figures of sessions."""
        return any(metric in SESSIONS for metric in self.metrics)
