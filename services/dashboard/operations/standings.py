"""The standing of each replica, from its latest report and the time, and the services without a replica. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.dashboard.sources.failing_parts import GONE_AFTER_SECONDS
from services.dashboard.sources.watch import Watched
from shared.runtime.services import OPTIONAL, SERVICES, TRAFFIC
from shared.status.replica_status import STARTING, ReplicaStatus

_PIPELINE: Final = tuple(service.name for service in (*TRAFFIC, *SERVICES, *OPTIONAL))
_NEEDED: Final = {service.name for service in SERVICES if service.is_needed}
_MAY_END: Final = {service.name for service in TRAFFIC}


class Standing(StrEnum):
    """What the page says about a replica."""

    HEALTHY = "healthy"
    STARTING = "starting"  # waits for its dependencies
    DEGRADED = "degraded"
    FAILING = "failing"
    GONE = "gone"  # silent without having been stopped
    ENDED = "ended"  # it failed or was fenced
    STOPPED = "stopped"

    @property
    def is_running(self) -> bool:
        """Whether its metrics are current."""
        return self not in {Standing.GONE, Standing.ENDED, Standing.STOPPED}


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica and its standing; `is_replaced`: its service has a replica that started after this one ended."""

    watched: Watched
    standing: Standing
    is_replaced: bool = False

    @property
    def service(self) -> str:
        """The service it belongs to."""
        return self.watched.status.service

    @property
    def is_problem(self) -> bool:
        """Whether it needs attention."""
        return (
            self.standing in {Standing.DEGRADED, Standing.FAILING, Standing.GONE, Standing.ENDED}
            and not self.is_replaced
        )


def judge(replicas: Sequence[Watched], now_ms: int) -> list[Replica]:
    """The replicas in the order of the pipeline, the running ones first within a service.

    Leaves out stopped replicas that have a successor.
    """
    standings = [_standing(watched, now_ms) for watched in replicas]
    newest_start_ms: dict[str, int] = {}  # of the running replicas, by service
    for watched, standing in zip(replicas, standings, strict=True):
        if standing.is_running:
            service, started_at_ms = watched.status.service, watched.status.started_at_ms
            newest_start_ms[service] = max(started_at_ms, newest_start_ms.get(service, 0))
    judged = [
        Replica(watched, standing, not standing.is_running and _is_replaced(watched.status, newest_start_ms))
        for watched, standing in zip(replicas, standings, strict=True)
    ]
    kept = [replica for replica in judged if not (replica.standing is Standing.STOPPED and replica.is_replaced)]
    return sorted(kept, key=_place)


def missing_services(replicas: Sequence[Replica]) -> list[str]:
    """The services that should run but have no running replica."""
    running = {replica.service for replica in replicas if replica.standing.is_running}
    known = {replica.service for replica in replicas} - _MAY_END
    return sorted((known | _NEEDED) - running, key=_service_place)


def _standing(watched: Watched, now_ms: int) -> Standing:
    status = watched.status
    if status.state == "stopped":
        return Standing.STOPPED
    if status.state != "running":
        return Standing.ENDED
    if now_ms - watched.heard_ms > 1000 * GONE_AFTER_SECONDS:
        return Standing.GONE
    if STARTING in status.troubles:
        return Standing.STARTING
    return {"healthy": Standing.HEALTHY, "degraded": Standing.DEGRADED, "unhealthy": Standing.FAILING}[status.health]


def _is_replaced(status: ReplicaStatus, newest_start_ms: Mapping[str, int]) -> bool:
    return newest_start_ms.get(status.service, -1) >= status.reported_at_ms


def _place(replica: Replica) -> tuple[tuple[int, str], bool, int, str]:
    status = replica.watched.status
    is_running = replica.standing.is_running
    return _service_place(replica.service), not is_running, 0 if is_running else -status.reported_at_ms, status.replica


def _service_place(service: str) -> tuple[int, str]:
    return _PIPELINE.index(service) if service in _PIPELINE else len(_PIPELINE), service
