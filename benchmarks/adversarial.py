"""The cost of enrich when nothing repeats: `python -m benchmarks.adversarial agents|addresses EVENTS`.

Every click has its own user agent, or its own IP address, so no cache helps. The service gets them in batches and its
output is discarded. Measures CPU time of the process per event, without the log and without lookups, and the growth of
the resident set. Generating the clicks is excluded.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Final

from benchmarks.processes import answer, quieten_logs
from services.enrich.lookups.catalogue import ProductFacts, VisitorFacts
from services.enrich.service import EnrichService, Route
from services.enrich.tally import Tally
from shared.events.raw import encode_raw
from shared.events.schema import RawEvent
from shared.runtime.process import spare_garbage_collector
from shared.status.health import Health
from shared.streams.event_log import Record, RecordBatch, ToAppend

_BATCH_EVENTS: Final = 1000
_WARM_BATCHES: Final = 5


class _NoLookups:
    """Lookups without any product or visitor."""

    missed = 0
    products: Mapping[str, ProductFacts] = {}
    visitors: Mapping[str, VisitorFacts] = {}

    def learn(self, events: Sequence[RawEvent]) -> None:
        pass

    def exclude(self, is_forgotten: Callable[[str], bool]) -> None:
        pass

    def unasked(self, events: Sequence[RawEvent]) -> int:  # noqa: ARG002 - part of the interface
        return 0


class _Given:
    """A processor that returns the given batches and discards what is sent."""

    def __init__(self, batches: Iterator[list[Record]], stop: Event) -> None:
        self._batches = batches
        self._stop = stop
        self._began = 0.0
        self.cpu_s = 0.0
        self._batch = 0

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - part of the interface
        batch = next(self._batches, [])
        if not batch:
            self._stop.set()
        self._began = time.process_time()
        return RecordBatch(batch)

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:  # noqa: ARG002 - part of the interface
        self._batch += 1
        if self._batch > _WARM_BATCHES:
            self.cpu_s += time.process_time() - self._began

    def lag(self) -> dict[int, int]:
        return {}


def clicks(what: str, events: int) -> Iterator[list[Record]]:
    """Batches of clicks, each with its own user agent or address."""
    now_ms = int(time.time() * 1000)
    for start in range(0, events + _WARM_BATCHES * _BATCH_EVENTS, _BATCH_EVENTS):
        batch = []
        for number in range(start, start + _BATCH_EVENTS):
            build = number if what == "agents" else 0
            address = number if what == "addresses" else 0
            event = RawEvent(
                timestamp=now_ms,
                userId=f"u{number % 1000}",
                ip=f"{11 + address // 65_536 % 80}.{address // 256 % 256}.{address % 256}.7",
                userAgent=f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; b{build}) Chrome/142.0.{build}.0 Safari/537.36",
            )
            batch.append(Record(0, number, now_ms, None, encode_raw(event)))
        yield batch


def main(what: str, events: int) -> None:
    """Report the CPU time per event in µs, and the growth of the resident set in MB."""
    stop = Event()
    given = _Given(clicks(what, events), stop)
    service = EnrichService(
        given,  # type: ignore[arg-type] # without `close`
        _NoLookups(),
        Route("raw", "enriched", "", "", _BATCH_EVENTS),
        tally=Tally(time.monotonic),
        health=Health("bench"),
        stop=stop,
    )
    spare_garbage_collector()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    service.run()
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    answer({f"enrich_new_{what}_us": round(given.cpu_s / events * 1e6, 2), f"enrich_new_{what}_mb": round(grown_mb)})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1], int(sys.argv[2]))
