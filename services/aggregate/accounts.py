"""What became of every event read, for the metrics: read must equal the sum of the outcomes."""

from collections.abc import Mapping, Sequence
from typing import Final

from services.aggregate.columns.dimensions import DIMENSIONS
from services.aggregate.rollups.reports import PartitionReport
from shared.rollups.model import OTHER_NAME
from shared.status.gauges import Gauges

_OUTCOMES: Final = {
    "counted": "counted",
    "late": "late",
    "duplicate": "duplicates",
    "dead_letter": "dead_letters",
    "other_site": "other_site",
}
"""The label of an outcome, and its attribute in `EventCounts`."""


def other_names_note(dimensions: Sequence[str], most_names: int) -> str:
    """Why the health is degraded: these dimensions have events in the trailing hour that count as OTHER_NAME."""
    plurals = {dimension.name: dimension.plural for dimension in DIMENSIONS}
    return (
        f"{', '.join(plurals[name] for name in dimensions)} beyond MAX_NAMES={most_names} of a partition "
        f"count as {OTHER_NAME} in figures of the last hour"
    )


def other_sales_note(most_sales: int, currency: str) -> str:
    """Why the health is degraded: there are sales in the trailing eight hours beyond the limit."""
    return (
        f"sales beyond MAX_SALES={most_sales} of a partition count as {OTHER_NAME} in revenue by product, category, "
        f"source and campaign of the last eight hours, and without their amount unless it is in {currency}; "
        "raise MAX_SALES, or find out who makes up orders"
    )


def set_accounts(gauges: Gauges, read: Mapping[int, int], reports: Mapping[int, PartitionReport]) -> None:
    """Set the accounts of each partition. `read` counts records where they arrive, so that a lost batch shows."""
    gauges.read = dict(read)
    gauges.outcomes = {
        (number, outcome): getattr(report.snapshot.event_counts, attribute)
        for number, report in reports.items()
        for outcome, attribute in _OUTCOMES.items()
    }
