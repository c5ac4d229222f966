"""What the panels of the Operations page draw. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.dashboard.operations.standings import Replica, judge
from services.dashboard.sources.observations import Reported
from shared.rollups.model import Meta
from shared.status.replica_status import Transition


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The replicas with their standings, the entries of Redis that cannot be read, and the latest transitions."""

    replicas: Sequence[Replica]
    unreadable: Mapping[str, str]  # key and field → why
    transitions: Sequence[Transition]  # newest first
    meta: Meta | None = None  # of the rollup; None before the first


def snapshot_of(reported: Reported, now_ms: int) -> Snapshot:
    """The snapshot of the reports as of `now_ms`."""
    return Snapshot(judge(reported.replicas, now_ms), reported.unreadable, reported.transitions, reported.meta)
