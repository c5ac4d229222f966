"""Resident memory of a visitor and of an event: `python -m benchmarks.memory visitors|events NUMBER`. Linux only.

It is the growth of this process' resident set, after a collection and after the allocator gave back what is free. The
store keeps nothing here, so it is the windows alone; RocksDB's buffers, which are bounded, are in the figures of
`benchmarks.state`.
"""

import ctypes
import gc
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.clicks import Clicks
from benchmarks.engine import Engine
from benchmarks.processes import answer, quieten_logs

HOUR_SECONDS: Final = 3600
VISITORS: Final = 200_000
_SMAPS: Final = Path("/proc/self/smaps_rollup")
IS_MEASURABLE: Final = _SMAPS.exists()


def resident_bytes() -> int:
    """The resident set of this process, without what the allocator could give back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    for line in _SMAPS.read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no Rss in {_SMAPS}")


def meet_visitors(engine: Engine, clicks: Clicks, from_s: int, until_s: int) -> None:
    """Fold one click of each visitor, spread over the time."""
    for batch in clicks.of_each_visitor(from_s * 1000, until_s * 1000):
        engine.advance(batch[-1].timestamp_ms // 1000)
        engine.fold(batch)
    engine.advance(until_s)


def of_visitors(visitors: int) -> None:
    """From empty windows to visitors that came once each in the last eight hours."""
    now_s = int(time.time())
    engine = Engine(None, now_s - 8 * HOUR_SECONDS)
    before = resident_bytes()
    meet_visitors(engine, Clicks(seed=1, visitors=visitors), now_s - 8 * HOUR_SECONDS, now_s)
    answer({"bytes_per_visitor": round((resident_bytes() - before) / visitors, 1)})


def of_events(events: int) -> None:
    """From visitors that are known to `events` clicks of them in the last hour, each with an eventId."""
    now_s = int(time.time())
    clicks = Clicks(seed=1, visitors=min(VISITORS, events // 5))
    engine = Engine(None, now_s - 8 * HOUR_SECONDS)
    meet_visitors(engine, clicks, now_s - 8 * HOUR_SECONDS, now_s - HOUR_SECONDS)
    before = resident_bytes()
    for batch in clicks.between((now_s - HOUR_SECONDS) * 1000, now_s * 1000, events):
        engine.advance(batch[-1].timestamp_ms // 1000)
        engine.fold(batch)
    engine.advance(now_s)
    answer({"bytes_per_event": round((resident_bytes() - before) / events, 1)})


if __name__ == "__main__":
    quieten_logs()
    {"visitors": of_visitors, "events": of_events}[sys.argv[1]](int(sys.argv[2]))
