"""What became of every event read, for the metrics: read must equal counted + late + duplicate + dead_letter."""

from collections.abc import Mapping
from typing import Final

from services.aggregate.rollups.reports import PartitionReport
from shared.status.gauges import Gauges

_OUTCOMES: Final = {"counted": "counted", "late": "late", "duplicate": "duplicates", "dead_letter": "dead_letters"}
"""The label of an outcome, and its attribute in `EventCounts`."""


def set_accounts(gauges: Gauges, read: Mapping[int, int], reports: Mapping[int, PartitionReport]) -> None:
    """Set the accounts of each partition. `read` counts records where they arrive, so that a lost batch shows."""
    gauges.read = dict(read)
    gauges.outcomes = {
        (number, outcome): getattr(report.snapshot.event_counts, attribute)
        for number, report in reports.items()
        for outcome, attribute in _OUTCOMES.items()
    }
