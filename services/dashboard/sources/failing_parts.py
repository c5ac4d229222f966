"""What keeps clicks from the numbers: the failing parts of the services that the numbers need. Pure."""

from collections.abc import Sequence
from typing import Final

from services.dashboard.sources.observations import FailingPart, Reported, StatusObservation
from services.dashboard.sources.watch import Watched
from shared.runtime.services import SERVICES
from shared.status.replica_status import STARTING

GONE_AFTER_SECONDS: Final = 6.0
"""Replicas report once a second. One that is silent for longer was killed, hangs, or has lost Redis."""

_NEEDED: Final = tuple(service.name for service in SERVICES if service.is_needed)


def failing_parts(
    observation: StatusObservation, now_ms: int, services: Sequence[str] = _NEEDED
) -> tuple[FailingPart, ...]:
    """A row for each failing part of these services, and for each of them that has stopped working.

    Empty when no service reports: one that is not known may not be there yet, or not share its status.
    """
    if not isinstance(observation, Reported):
        return ()
    found: list[FailingPart] = []
    for service in services:
        replicas = [replica for replica in observation.replicas if replica.status.service == service]
        if replicas:
            found += _failing(service, replicas, now_ms)
    return tuple(found)


def _failing(service: str, replicas: Sequence[Watched], now_ms: int) -> list[FailingPart]:
    running = [
        replica
        for replica in replicas
        if replica.status.state == "running" and now_ms - replica.heard_ms <= 1000 * GONE_AFTER_SECONDS
    ]
    if not running:
        return [FailingPart(service, None, max(replica.status.reported_at_ms for replica in replicas), "")]
    at_work = [replica for replica in running if STARTING not in replica.status.troubles]
    earliest: dict[str, FailingPart] = {}
    for replica in at_work or running:
        for part, trouble in replica.status.troubles.items():
            if trouble.fails and (part not in earliest or trouble.since_ms < earliest[part].since_ms):
                earliest[part] = FailingPart(service, part, trouble.since_ms, trouble.reason)
    return list(earliest.values())
