"""How each replica stands, told from its latest report and the time, and what that means for the whole. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.dashboard.sources.watch import Watched
from shared.runtime.services import SERVICES, TRAFFIC
from shared.status.replica_status import STARTING

GONE_AFTER_SECONDS: Final = 6.0
"""Each replica reports once a second: one that is silent for longer was killed, hangs, or is cut off from Redis."""

_PIPELINE: Final = tuple(service.name for service in (*TRAFFIC, *SERVICES))
_NEEDED: Final = {service.name for service in SERVICES if service.is_needed}
_MAY_END: Final = {service.name for service in TRAFFIC}


class Standing(StrEnum):
    """How a replica stands."""

    HEALTHY = "healthy"
    STARTING = "starting"  # waits for what it needs, as it was started
    DEGRADED = "degraded"
    FAILING = "failing"
    GONE = "gone"  # silent, and nobody stopped it
    ENDED = "ended"  # it failed, or another one took its place
    STOPPED = "stopped"

    @property
    def is_running(self) -> bool:
        """Whether its figures are of now."""
        return self not in {Standing.GONE, Standing.ENDED, Standing.STOPPED}


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica and how it stands; `is_replaced`: another one of its service was started since it ended."""

    watched: Watched
    standing: Standing
    is_replaced: bool = False

    @property
    def service(self) -> str:
        """Its service."""
        return self.watched.status.service

    @property
    def is_problem(self) -> bool:
        """Whether somebody should look."""
        return (
            self.standing in {Standing.DEGRADED, Standing.FAILING, Standing.GONE, Standing.ENDED}
            and not self.is_replaced
        )


def judge(replicas: Sequence[Watched], now_ms: int) -> list[Replica]:
    """Judge them, in the order of the pipeline, those that run first.

    Who was stopped and has a successor is no matter any more, and left out.
    """
    standings = [_standing(watched, now_ms) for watched in replicas]
    judged = [
        Replica(watched, standing, not standing.is_running and _is_replaced(watched, replicas, standings))
        for watched, standing in zip(replicas, standings, strict=True)
    ]
    left = [replica for replica in judged if not (replica.standing is Standing.STOPPED and replica.is_replaced)]
    return sorted(left, key=_place)


def missing_services(replicas: Sequence[Replica]) -> list[str]:
    """The services that should run and of which no replica does."""
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


def _is_replaced(watched: Watched, replicas: Sequence[Watched], standings: Sequence[Standing]) -> bool:
    return any(
        other.status.service == watched.status.service
        and standing.is_running
        and other.status.started_at_ms >= watched.status.reported_at_ms
        for other, standing in zip(replicas, standings, strict=True)
    )


def _place(replica: Replica) -> tuple[tuple[int, str], bool, int, str]:
    status = replica.watched.status
    is_running = replica.standing.is_running
    return _service_place(replica.service), not is_running, 0 if is_running else -status.reported_at_ms, status.replica


def _service_place(service: str) -> tuple[int, str]:
    return _PIPELINE.index(service) if service in _PIPELINE else len(_PIPELINE), service
