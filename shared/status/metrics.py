"""What a metric is. The list of metrics is `ReplicaStatus`: each of their fields there is annotated with a `Metric`."""

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints


@dataclass(frozen=True, slots=True)
class Metric:
    """Kind, unit and meaning of a reported figure. A counter runs from the start of the process."""

    kind: Literal["counter", "gauge"]
    unit: str
    help: str  # for docs/redis.md


def metrics_of(report: type) -> dict[str, Metric]:
    """The annotated fields of a report by name, in order."""
    hints = get_type_hints(report, include_extras=True)
    return {name: part for name, hint in hints.items() for part in get_args(hint) if isinstance(part, Metric)}
