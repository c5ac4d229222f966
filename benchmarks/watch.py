"""Watches what is published, and the services' memory, while clicks arrive."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event

import redis

from benchmarks.markers import Sighting
from benchmarks.usage import resident_mb
from shared.rollups.contract import META_KEY

_POLL_SECONDS = 0.01
_MEMORY_EVERY_SECONDS = 5.0
_WHOLE_SECONDS = 3600 - 60  # all but what is still in flight
_MARKERS_KEY = "rollup:bot:products:1h"


@dataclass(slots=True)
class Watch:
    """What has been seen so far."""

    sightings: list[Sighting] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)  # events in the windows, by sighting
    is_whole: list[bool] = field(default_factory=list)  # whether the last hour is loaded, by sighting
    resident_mb: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # by process: epoch ms, size

    @property
    def newest_counted(self) -> int:
        """Events in the windows at the last publish."""
        return self.counted[-1] if self.counted else 0

    def run(self, client: redis.Redis, process_ids: Mapping[str, int], stop: Event) -> None:
        """Watch until `stop`; a publish is seen within _POLL_SECONDS plus the time to read it."""
        as_of: bytes | None = None
        memory_at = time.monotonic()
        while not stop.wait(_POLL_SECONDS):
            now_as_of = client.hget(META_KEY, "as_of_ms")
            if now_as_of is not None and now_as_of != as_of:
                as_of = self._see(client)
            if time.monotonic() >= memory_at:
                memory_at += _MEMORY_EVERY_SECONDS
                for name, process_id in process_ids.items():
                    self.resident_mb.setdefault(name, []).append((time.time() * 1000, resident_mb(process_id)))

    def _see(self, client: redis.Redis) -> bytes:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.hmget(META_KEY, "as_of_ms", "counted", "coverage_1h_s")
            pipeline.zrange(_MARKERS_KEY, 0, -1, withscores=True)
            (as_of, counted, coverage_s), ranking = pipeline.execute()
        counts = {product.decode(): int(events) for product, events in ranking}
        self.sightings.append(Sighting(int(as_of), time.time() * 1000, counts))
        self.counted.append(int(counted))
        self.is_whole.append(int(coverage_s) >= _WHOLE_SECONDS)
        return bytes(as_of)
