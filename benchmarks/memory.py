"""Resident memory per visitor: `python -m benchmarks.memory VISITORS`. Linux only.

Compares windows with 200,000 one-time visitors, spread over the last eight hours, to windows with 10,000. The resident
set is read after a garbage collection and after the allocator returned free memory. Nothing is stored: RocksDB's
buffers, some ten megabytes per partition even with few visitors, would dominate; `benchmarks.state` includes them. Each
visitor has one event with an eventId, and most events have left the trailing hour.
"""

import gc
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.clicks import Clicks
from benchmarks.engine import Engine
from benchmarks.processes import answer, quieten_logs
from shared.events.time_units import HOUR_SECONDS
from shared.runtime.free_memory import return_free_memory

VISITORS: Final = 200_000
_FEW_VISITORS: Final = 10_000
_SMAPS: Final = Path("/proc/self/smaps_rollup")
IS_MEASURABLE: Final = _SMAPS.exists()


def resident_bytes() -> int:
    """The resident set of this process, after the allocator returned free memory."""
    gc.collect()
    return_free_memory()
    for line in _SMAPS.read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no Rss in {_SMAPS}")


def meet_visitors(engine: Engine, clicks: Clicks, from_s: int, until_s: int) -> None:
    """Fold one click of each visitor, spread over the time span."""
    for batch in clicks.of_each_visitor(from_s * 1000, until_s * 1000):
        engine.advance(batch[-1].timestamp_ms // 1000)
        engine.fold(batch)
        while engine.checkpoint_one_due() is not None:  # which also drops visitors that left
            pass
    engine.advance(until_s)


def main(visitors: int) -> None:
    """Report the bytes per visitor."""
    now_s = int(time.time())
    resident = {}
    for count in (_FEW_VISITORS, _FEW_VISITORS, visitors):  # the first run loads code
        before = resident_bytes()
        engine = Engine(None, now_s - 8 * HOUR_SECONDS)
        meet_visitors(engine, Clicks(seed=1, visitors=count), now_s - 8 * HOUR_SECONDS, now_s)
        resident[count] = resident_bytes() - before
        del engine
    answer({"bytes_per_visitor": round((resident[visitors] - resident[_FEW_VISITORS]) / (visitors - _FEW_VISITORS), 1)})


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]))
