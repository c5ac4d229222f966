"""Replicas as the dashboard sees them."""

from typing import Any

from services.dashboard.sources.observations import Reported
from services.dashboard.sources.watch import SLOT_MS, Curves, Watched
from shared.status.replica_status import ReplicaStatus, Transition
from tests.support.samples.status import NOON_MS, sample_status

NOW_MS = NOON_MS + 1_000


def watched(service: str = "aggregate", replica: str = "host-1:7", **fields: Any) -> Watched:
    """A replica that reported a second before NOW_MS, with curves of a minute."""
    return watched_status(sample_status(service, replica, **fields))


def watched_status(status: ReplicaStatus) -> Watched:
    """The same for a given report."""
    last = NOW_MS // SLOT_MS
    curves = Curves(
        cpu_share={last - back: 0.2 for back in range(12)},
        memory_bytes={last - back: 160e6 - 1e6 * back for back in range(12)},
        events_per_second={last - back: 1000 + back for back in range(12)},
    )
    return Watched(status, status.reported_at_ms, curves)


def silent(service: str, replica: str, seconds: float, **fields: Any) -> Watched:
    """A replica that reported last `seconds` before NOW_MS."""
    return watched(service, replica, reported_at_ms=NOW_MS - round(1000 * seconds), **fields)


def pipeline(*replaced: Watched) -> list[Watched]:
    """A healthy enrich, aggregate and detect, except for the given services."""
    services = {replica.status.service for replica in replaced}
    own: dict[str, dict[str, Any]] = {
        "enrich": {"publish_ms": None, "is_publisher": None, "state_bytes": {}},
        "aggregate": {},
        "detect": {"publish_ms": None, "is_publisher": None, "state_bytes": {}, "dead_letters": {}},
    }
    well = {"last_complaint": None}
    return [
        *replaced,
        *(
            watched(service, f"{service}-1", **fields, **well)
            for service, fields in own.items()
            if service not in services
        ),
    ]


def reported(replicas: list[Watched], **fields: Any) -> Reported:
    """What the reader observed at NOW_MS."""
    given: dict[str, Any] = {"unreadable": {}, "transitions": [], "at_ms": NOW_MS}
    return Reported(replicas, **(given | fields))


def transition(message: str, seconds_ago: float = 10, **fields: Any) -> Transition:
    """A transition of enrich."""
    given: dict[str, Any] = {"service": "enrich", "replica": "enrich-1", "level": "info"}
    return Transition(at_ms=NOW_MS - round(1000 * seconds_ago), message=message, **(given | fields))
