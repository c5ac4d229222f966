"""CPU time of the Explore page to count an hour of a million events, and to refresh when nothing changed.

`python -m benchmarks.explore` prints a table; it needs no server.
"""

import statistics
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import fakeredis
import numpy as np
import pyarrow as pa

from services.dashboard.explore.choices import Choices
from services.dashboard.explore.counting import distributions, series
from services.dashboard.explore.counting.selection import Filter, Selection, Span, distinct_visitors, select, views
from services.dashboard.explore.exploration import explore
from services.dashboard.sources.segment_source import SegmentSource
from shared.events.time_units import MINUTE_MS
from shared.rollups.contract import META_KEY
from shared.rollups.segment_columns import DIMENSIONS
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key

EVENTS: Final = 1_000_000
VISITORS: Final = 200_000
PARTITIONS: Final = 4
MINUTES: Final = 60
_FIRST_MINUTE: Final = 29_922_390
_REPEATS: Final = 9
_NAMES: Final = {
    "productId": 5000, "category": 14, "page": 5000, "country": 120, "deviceType": 5, "gender": 3, "eventType": 4,
    "source": 200, "channel": 8, "campaign": 60, "browser": 25, "operatingSystem": 9, "site": 2,
}  # fmt: skip


def main() -> int:
    """Measure and print."""
    client = fakeredis.FakeRedis()
    _fill(client, np.random.default_rng(7))
    reader = SegmentSource(
        client,
        "",
        now_ms=lambda: (_FIRST_MINUTE + MINUTES) * MINUTE_MS,  # segments of the future are not read
        elapsed_seconds=count().__next__,
        most_events=2 * EVENTS,
    )
    began = time.process_time()
    minutes = reader.look()
    _print("read and decode the hour", 1000 * (time.process_time() - began))
    assert len(minutes.frame) == EVENTS
    span = Span(minutes.end_minute, MINUTES)
    wanted = Filter(
        "human", (("category", frozenset({"category 1", "category 2"})), ("deviceType", frozenset({"deviceType 0"})))
    )
    _time("refresh with nothing new", lambda: reader.look())
    _time("select under a filter", lambda: select(minutes.frame, span, wanted))
    _count("all", select(minutes.frame, span, Filter()))
    _count("filtered", select(minutes.frame, span, wanted))
    _time("the whole page, all", lambda: explore(minutes, Choices()))
    _time("the whole page, filtered", lambda: explore(minutes, Choices(wanted=wanted, measure="visitors")))
    return 0


def _count(name: str, selection: Selection) -> None:
    _time(f"{name}: views and visitors", lambda: (views(selection), distinct_visitors(selection)))
    _time(f"{name}: visitors by minute", lambda: series.count_by(selection, 1, "visitors"))
    _time(f"{name}: rank categories", lambda: distributions.rank(selection, "category", 12))
    _time(f"{name}: density", lambda: distributions.density(selection, "category", 1, 12))
    _time(f"{name}: events per visitor", lambda: distributions.events_per_visitor(selection))
    _time(f"{name}: visitors by age", lambda: distributions.ages(selection, "visitors"))


def _fill(client: Any, random: Any) -> None:
    """Write segments of EVENTS events in aggregate's format."""
    rows = EVENTS // (MINUTES * PARTITIONS) + 1
    left = EVENTS
    for minute in range(_FIRST_MINUTE, _FIRST_MINUTE + MINUTES):
        for partition in range(PARTITIONS):
            own = min(rows, left)
            left -= own
            columns = {
                "timestamp": pa.array(np.sort(random.integers(0, MINUTE_MS, own)) + minute * MINUTE_MS),
                "visitor": pa.array(random.integers(0, VISITORS // PARTITIONS, own).astype(np.uint32)),
                **{name: _texts(name, random.integers(0, _NAMES.get(name, 100), own)) for name in DIMENSIONS},
                "age": pa.array(random.integers(10, 90, own).astype(np.int16)),
                "bot": pa.array(random.random(own) < 0.1),
            }
            table = pa.table(columns).replace_schema_metadata({"events": str(own), "rate": "1.0"})
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
                stream.write_table(table)
            field = segment_field(minute, partition)
            client.set(segment_key(field), sink.getvalue().to_pybytes())
            client.hset(SEGMENTS_KEY, field, 1)
    client.hset(META_KEY, "as_of_ms", ((_FIRST_MINUTE + MINUTES) * 60 + 30) * 1000)


def _texts(name: str, codes: Any) -> Any:
    in_use, places = np.unique(codes, return_inverse=True)
    names = pa.array([f"{name} {code}" for code in in_use.tolist()], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), names)


def _time(step: str, run: Callable[[], Any]) -> None:
    times = []
    for _ in range(_REPEATS):
        began = time.process_time()
        run()
        times.append(1000 * (time.process_time() - began))
    _print(step, statistics.median(times))


def _print(step: str, milliseconds: float) -> None:
    sys.stdout.write(f"{step:<32}{milliseconds:>10.1f} ms\n")


if __name__ == "__main__":
    sys.exit(main())
