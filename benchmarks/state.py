"""Fills state on disk like the service: `python -m benchmarks.state EVENTS FOLDER`; waits to be killed.

Folds clicks of the last hour, of known visitors, in batches of five thousand while the clock moves with them, with
periodic checkpoints. The state is never closed, so it is what a `kill -9` leaves, with the last blocks after the
checkpoint.

Disk is what the file system has allocated, at the end and at the peak. Memory is the growth of this process's resident
set, RocksDB's buffers included: `bytes_per_event` since the visitors were known, `resident_mb_1m` since the windows
were empty. Every event has an eventId.
"""

import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.clicks import Clicks
from benchmarks.engine import Engine
from benchmarks.memory import IS_MEASURABLE, VISITORS, meet_visitors, resident_bytes
from benchmarks.processes import Figures, answer, quieten_logs
from shared.events.time_units import HOUR_SECONDS


def main(events: int, folder: Path) -> None:
    """Fill `folder`, report the figures, and wait."""
    now_s = int(time.time())
    clicks = Clicks(seed=1, visitors=min(VISITORS, events // 5))
    engine = Engine(folder, now_s - 8 * HOUR_SECONDS)
    empty_bytes = resident_bytes() if IS_MEASURABLE else 0
    meet_visitors(engine, clicks, now_s - 8 * HOUR_SECONDS, now_s - HOUR_SECONDS)
    known_bytes = resident_bytes() if IS_MEASURABLE else 0
    sizes = []
    for batch in clicks.between((now_s - HOUR_SECONDS) * 1000, now_s * 1000, events):
        engine.advance(batch[-1].timestamp_ms // 1000)
        while engine.checkpoint_one_due() is not None:
            pass
        engine.fold(batch)
        sizes.append(_bytes_on_disk(folder))
    figures: Figures = {
        "disk_bytes_per_event": round(sizes[-1] / events, 1),
        "disk_peak_bytes_per_event": round(max(sizes) / events, 1),
    }
    if IS_MEASURABLE:
        full_bytes = resident_bytes()
        figures["bytes_per_event"] = round((full_bytes - known_bytes) / events, 1)
        figures["resident_mb_1m"] = round((full_bytes - empty_bytes) / 1e6)
    answer(figures)
    sys.stdin.read()  # until killed


_BLOCK_BYTES: Final = 512  # the unit of st_blocks on any file system


def _bytes_on_disk(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * _BLOCK_BYTES
        except FileNotFoundError:  # RocksDB drops files in the background
            continue
    return total


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]), Path(sys.argv[2]))
