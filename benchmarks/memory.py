"""Resident memory of a visitor: `python -m benchmarks.memory VISITORS`. Linux only.

It is the growth of this process' resident set from empty windows to visitors that came once each, spread over the last
eight hours; it is read after a collection, and after the allocator gave back what is free. Nothing is stored: RocksDB's
buffers, some ten megabytes a partition however few the visitors, would be most of it. They are in the figures of
`benchmarks.state`. No visitor has anything but one event with its eventId, most of which have left the trailing hour.
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


def main(visitors: int) -> None:
    """Answer the bytes a visitor."""
    now_s = int(time.time())
    engine = Engine(None, now_s - 8 * HOUR_SECONDS)
    before = resident_bytes()
    meet_visitors(engine, Clicks(seed=1, visitors=visitors), now_s - 8 * HOUR_SECONDS, now_s)
    answer({"bytes_per_visitor": round((resident_bytes() - before) / visitors, 1)})


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]))
