"""The sampler: the current status of this process, from its health, its gauges and the operating system."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from shared.status.complaints import LastComplaint
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.replica_status import ReplicaStatus, State
from shared.status.resources import CpuMeter, disk_bytes, resident_bytes
from shared.status.unreadable import UNREADABLE

_RATE_SECONDS: Final = 10.0
_STATE_SECONDS: Final = 5.0
"""Interval between two scans of the state's files, which may be many."""


def replica_name(instance_id: str | None = None) -> str:
    """A name that is unique in the service: KAFKA_INSTANCE_ID, else the host, and its process id unless in a container.

    A container's host is what `docker ps` and Kubernetes list, and its process has the id 1 each time.
    """
    host, process_id = socket.gethostname(), os.getpid()
    return instance_id or (host if process_id == 1 else f"{host}:{process_id}")


class Sampler:
    """Creates this process's statuses. Not thread-safe. `elapsed_seconds` is monotonic."""

    def __init__(
        self,
        service: str,
        replica: str,
        health: Health,
        gauges: Gauges,
        complaints: LastComplaint,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._replica = replica
        self._version = _version()
        self._health = health
        self._gauges = gauges
        self._complaints = complaints
        self._now_ms = now_ms
        self._elapsed_seconds = elapsed_seconds
        self._started_at_ms = now_ms()
        self._cpu = CpuMeter()
        self._marks: deque[tuple[float, int]] = deque([(elapsed_seconds(), 0)])
        self._state_bytes: dict[int, int] = {}
        self._state_at = float("-inf")

    def sample(self, state: State) -> ReplicaStatus:
        """The current status. Rates cover the time since earlier samples."""
        gauges = self._gauges
        events, elapsed = gauges.events, self._elapsed_seconds()
        collected = gauges.collected
        return ReplicaStatus(
            service=self._service,
            replica=self._replica,
            version=self._version,
            started_at_ms=self._started_at_ms,
            reported_at_ms=self._now_ms(),
            state=state,
            troubles=self._health.troubles() if state == "running" else {},
            cpu_share=round(self._cpu.share(), 4),
            memory_bytes=resident_bytes(),
            events=events,
            events_per_second=round(self._rate(elapsed, events), 2),
            batch_ms=_rounded(gauges.batch_ms),
            publish_ms=_rounded(gauges.publish_ms),
            is_publisher=gauges.is_publisher,
            lag=dict(gauges.lag),
            state_bytes=self._sizes(elapsed),
            dead_letters=dict(gauges.dead_letters),
            counted_as_other=dict(gauges.counted_as_other),
            received=collected.received,
            waiting=collected.waiting,
            collected=dict(collected.outcomes),
            sales_counted_as_other=gauges.sales_counted_as_other,
            stored=dict(gauges.stored),
            unreadable=UNREADABLE.counts(),
            last_complaint=self._complaints.last,
        )

    def _rate(self, elapsed: float, events: int) -> float:
        self._marks.append((elapsed, events))
        while len(self._marks) > 2 and elapsed - self._marks[1][0] >= _RATE_SECONDS:
            self._marks.popleft()
        since, events_then = self._marks[0]
        return (events - events_then) / max(1e-3, elapsed - since)

    def _sizes(self, elapsed: float) -> dict[int, int]:
        directory, partitions = self._gauges.state_directory, self._gauges.lag
        if directory is None:
            return {}
        if elapsed - self._state_at >= _STATE_SECONDS or self._state_bytes.keys() != partitions.keys():
            self._state_at = elapsed
            self._state_bytes = {number: disk_bytes(directory / str(number)) for number in partitions}
        return self._state_bytes


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 2)


def _version() -> str:
    try:
        return version("clickpulse")
    except PackageNotFoundError:  # run from sources
        return "unknown"
