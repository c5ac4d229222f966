"""From the publish instant to Redis' reply: `python -m benchmarks.publish EVENTS LABEL [names]`, on Redis at REDIS_URL.

Included: advancing the windows of four partitions to the instant, reading their figures, merging, ranking and
labelling them, encoding every key, the MULTI/EXEC until its reply, and the segments of a completed minute. Excluded:
folding, which continues between the instants at the rate that filled the hour, and checkpoints, which have their own
figure. The instants follow one another without waiting, so idle time is not measured. The first INSTANTS_BEFORE only
warm up. With 60 samples the 99th percentile is the maximum. With `names` the clicks are of MANY_NAMES.
"""

import math
import os
import sys
import time
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.clicks import MANY_NAMES, Clicks, Variety
from benchmarks.engine import Engine, publisher
from benchmarks.processes import answer, quieten_logs
from shared.events.time_units import HOUR_SECONDS
from shared.runtime.process import spare_garbage_collector
from shared.runtime.redis_client import connect

INSTANTS_BEFORE: Final = 10
INSTANTS: Final = 60
MOST_VISITORS: Final = 200_000


def main(events: int, label: str, variety: Variety) -> None:
    """Fill the trailing hour with `events` and publish at INSTANTS consecutive seconds."""
    clicks = Clicks(seed=1, visitors=min(MOST_VISITORS, events // 5), variety=variety)
    now_s = int(time.time())
    spans, checkpoints = [], [0.0]
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder, connect(os.environ["REDIS_URL"]) as client:
        engine, publishes = Engine(Path(folder), now_s - HOUR_SECONDS), publisher(client)
        for batch in clicks.between((now_s - HOUR_SECONDS) * 1000, now_s * 1000, events):
            engine.advance(batch[-1].timestamp_ms // 1000)
            engine.fold(batch)
        for _ in repeat(None, INSTANTS_BEFORE + INSTANTS):
            now_s += 1
            for batch in clicks.between((now_s - 1) * 1000, now_s * 1000, max(1, events // HOUR_SECONDS)):
                engine.fold(batch)
            started = time.perf_counter()
            engine.advance(now_s)
            engine.publish(publishes)
            spans.append((time.perf_counter() - started) * 1000)
            checkpoints.append((engine.checkpoint_one_due() or 0.0) * 1000)
        engine.close()
    spans = sorted(spans[INSTANTS_BEFORE:])
    answer(
        {
            f"publish_p50_ms_{label}": round(spans[len(spans) // 2], 2),
            f"publish_p99_ms_{label}": round(spans[math.ceil(0.99 * len(spans)) - 1], 2),
            f"checkpoint_max_ms_{label}": round(max(checkpoints), 1),
        }
    )


if __name__ == "__main__":
    quieten_logs()
    spare_garbage_collector()  # like the service
    main(int(sys.argv[1]), sys.argv[2], MANY_NAMES if "names" in sys.argv[3:] else Variety())
