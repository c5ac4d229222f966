"""What is asked. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from services.history.questions.dimensions import Dimension
from services.history.questions.windows import Compare, Window

Kind = Literal["aggregate", "timeseries", "breakdown", "realtime", "events"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Metric = Literal["views", "visitors"]
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)


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
    metrics: tuple[Metric, ...] = METRICS
    filters: tuple[Filter, ...] = ()
    by: Dimension | None = None
    limit: int = 100
    compare: Compare | None = None
