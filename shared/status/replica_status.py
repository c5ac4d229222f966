"""What a replica reports, and what changes between two statuses. Pure; times are epoch ms."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

STARTING: Final = "start"
"""The part of the health that fails until a service has its dependencies and starts to work."""

HealthStatus = Literal["healthy", "degraded", "unhealthy"]
State = Literal["running", "stopped", "fenced", "failed"]
Level = Literal["info", "warning", "error"]


class Trouble(msgspec.Struct, frozen=True):
    """A part of a service that fails or is degraded, and since when."""

    reason: str
    since_ms: int
    fails: bool  # else it is degraded


def health_status(troubles: Mapping[str, Trouble]) -> HealthStatus:
    """The health of the worst part."""
    if any(trouble.fails for trouble in troubles.values()):
        return "unhealthy"
    return "degraded" if troubles else "healthy"


class Complaint(msgspec.Struct, frozen=True):
    """A log line at warning level or above."""

    level: Level
    message: str
    at_ms: int


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A process at one instant. A figure that a service does not have is absent."""

    service: str
    replica: str  # as `sampler.replica_name`
    version: str
    started_at_ms: int
    reported_at_ms: int
    state: State = "running"
    troubles: dict[str, Trouble] = msgspec.field(default_factory=dict)  # by part of the service
    # The figures, as `shared.status.metrics.REPORTED` names and describes them.
    cpu_share: float = 0.0
    memory_bytes: int = 0
    events: int = 0
    events_per_second: float = 0.0
    batch_ms: float | None = None
    publish_ms: float | None = None
    is_publisher: bool | None = None
    lag: dict[int, int | None] = msgspec.field(default_factory=dict)
    state_bytes: dict[int, int] = msgspec.field(default_factory=dict)
    dead_letters: dict[str, int] = msgspec.field(default_factory=dict)
    counted_as_other: dict[str, int] = msgspec.field(default_factory=dict)
    received: int = 0
    waiting: int = 0
    collected: dict[str, int] = msgspec.field(default_factory=dict)
    sales_counted_as_other: int = 0
    stored: dict[str, int] = msgspec.field(default_factory=dict)
    unreadable: dict[str, int] = msgspec.field(default_factory=dict)
    last_complaint: Complaint | None = None

    @property
    def lag_sum(self) -> int | None:
        """Events not read yet; None when that is unknown of a partition."""
        known = [lag for lag in self.lag.values() if lag is not None]
        return sum(known) if len(known) == len(self.lag) else None

    @property
    def health(self) -> HealthStatus:
        """The health of its worst part."""
        return health_status(self.troubles)


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change in a replica, in words."""

    at_ms: int
    service: str
    replica: str
    level: Level
    message: str


def transitions(before: ReplicaStatus | None, now: ReplicaStatus) -> list[Transition]:
    """What changed between two statuses, at the time of the later one. `before` is None for the first."""
    return [
        Transition(at_ms=now.reported_at_ms, service=now.service, replica=now.replica, level=level, message=message)
        for level, message in _changes(before, now)
    ]


def _changes(before: ReplicaStatus | None, now: ReplicaStatus) -> Iterator[tuple[Level, str]]:
    if before is None:
        yield "info", f"started, version {now.version}"
    if now.state != "running":
        if before is None or before.state == "running":
            yield _ENDS[now.state]
        return  # a process that ends releases its partitions anyway
    yield from _health_changes(before.troubles if before else {}, now)
    yield from _partition_changes(set(before.lag) if before else set(), set(now.lag))
    was_publisher = before is not None and before.is_publisher
    if now.is_publisher and not was_publisher:
        yield "info", "publishes the rollups"
    elif was_publisher and not now.is_publisher:
        yield "info", "no longer publishes the rollups"


_ENDS: Final[dict[State, tuple[Level, str]]] = {
    "stopped": ("info", "stopped"),
    "fenced": ("error", "stopped: another process does this work (fenced)"),
    "failed": ("error", "failed; the trace is in its log"),
}


def _health_changes(before: dict[str, Trouble], now: ReplicaStatus) -> Iterator[tuple[Level, str]]:
    for part, trouble in now.troubles.items():
        known = before.get(part)
        if known is not None and known.fails == trouble.fails:
            continue
        if part == STARTING:
            continue  # "started" says it
        if trouble.fails:
            yield "error", f"{part} fails: {trouble.reason}"
        else:
            yield "warning", f"{part} is degraded: {trouble.reason}"
    for part, trouble in before.items():
        if part in now.troubles:
            continue
        seconds = max(0, now.reported_at_ms - trouble.since_ms) // 1000
        yield "info", f"ready after {seconds} s" if part == STARTING else f"{part} works again after {seconds} s"


def _partition_changes(before: set[int], now: set[int]) -> Iterator[tuple[Level, str]]:
    if opened := now - before:
        yield "info", f"reads {partitions_in_words(opened)}"
    if closed := before - now:
        yield "info", f"no longer reads {partitions_in_words(closed)}"


def partitions_in_words(partitions: Iterable[int]) -> str:
    """`partition 3`, `partitions 0–2, 5`."""
    numbers = sorted(partitions)
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    named = ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in runs)
    return f"partition{'s' if len(numbers) > 1 else ''} {named}"
