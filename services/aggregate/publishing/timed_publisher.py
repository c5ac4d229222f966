"""Measures each publish, and sets the gauges of what was published."""

import time
from collections.abc import Callable
from typing import Protocol

from services.aggregate.publishing.sender import Publication
from services.aggregate.rollups.reports import PartitionReport
from shared.rollups.model import Meta
from shared.rollups.proof import Proof
from shared.status.gauges import Gauges


class Measured(Protocol):
    """A publisher that tells what it published. See `services.aggregate.publishing.publisher.RedisPublisher`."""

    @property
    def leads(self) -> bool: ...
    @property
    def meta(self) -> Meta | None: ...
    @property
    def proof(self) -> Proof | None: ...
    def publish(self, publication: Publication) -> None: ...
    def leave(self) -> None: ...


class TimedPublisher:
    """Wraps a publisher and sets the gauges. Not thread-safe."""

    def __init__(
        self, publisher: Measured, gauges: Gauges, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._publisher = publisher
        self._gauges = gauges
        self._now_ms = now_ms
        self._newest_ms: dict[int, int] = {}  # by partition, of what was published

    def publish(self, publication: Publication) -> None:
        """See `sender.Publisher`."""
        gauges, reports = self._gauges, publication.reports
        began_at = time.monotonic()
        self._publisher.publish(publication)
        gauges.add_publish(time.monotonic() - began_at)
        gauges.is_publisher = self._publisher.leads
        meta = self._publisher.meta if self._publisher.leads else None
        gauges.coverage_s = {} if meta is None else {"1h": meta.coverage_1h_s, "8h": meta.coverage_8h_s}
        if meta is not None:
            gauges.rollup_at_s = meta.as_of_ms // 1000
        proof = self._publisher.proof if self._publisher.leads else None
        gauges.proof_at_s = None if proof is None else proof.at_ms // 1000
        gauges.proof_differences = None if proof is None or proof.result == "not_compared" else proof.differences
        for number, report in reports.items():
            self._observe(number, report)
        self._newest_ms = {number: report.snapshot.newest_event_ms for number, report in reports.items()}

    def leave(self) -> None:
        """See `sender.Publisher`."""
        self._publisher.leave()

    def _observe(self, number: int, report: PartitionReport) -> None:
        """Measure the newest click, unless it was published before, or restored with the partition's state."""
        newest_ms = report.snapshot.newest_event_ms
        if newest_ms > self._newest_ms.get(number, newest_ms):
            # A click may be ahead of our clock.
            self._gauges.click_to_publish_seconds.observe(max(0, self._now_ms() - newest_ms) / 1000)
