"""What replicas send each other: `python -m benchmarks.exchange REPLICAS LABEL [EVENTS_PER_SECOND]`.

On Redis at REDIS_URL, PARTITIONS partitions on that many replicas, each with an hour of clicks on a million pages,
100,000 products and 50,000 sources, drawn equally often. All replicas are in this process, one after the other, and the
publisher is last, so that it waits for nobody. Its span is from its reports to Redis' reply: sharing, reading what the
others shared, merging, ranking, encoding and the MULTI/EXEC. Excluded: advancing the windows and reading their figures,
see `benchmarks.publish`. The counts are made up here, and the other figures are those of an empty hour, except the
latest events. Bytes are all that Redis received and sent, the rollup's keys included.
"""

import math
import os
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from itertools import repeat
from typing import Any, Final

import numpy as np

from benchmarks.clicks import Clicks
from benchmarks.processes import answer, quieten_logs
from services.aggregate.columns.arrays import Ints, grown
from services.aggregate.columns.batch import LatestEvent
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.engine.windows import Windows
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.rollups.snapshot import Snapshot, snapshot_of, tables_of, with_tables
from services.aggregate.settings import AggregateSettings
from shared.events.time_units import HOUR_SECONDS
from shared.rollups.model import LATEST_EVENTS_SHOWN
from shared.runtime.process import spare_garbage_collector
from shared.runtime.redis_client import connect

PARTITIONS: Final = 12
EVENTS_PER_SECOND: Final = 300
NAMES: Final = {"page": 1_000_000, "product": 100_000, "source": 50_000}
_FEW_NAMES: Final = 30  # of the other dimensions
_BOT_EVERY: Final = 20
SECONDS_BEFORE: Final = 8
SECONDS: Final = 20


class _Table:
    """The counts of one dimension of one partition."""

    def __init__(self, dimension: str, rows: int, partition: int, events_per_second: int) -> None:
        self._dimension = dimension
        self._many = NAMES.get(dimension, _FEW_NAMES)
        # The events that leave an hour later are drawn with the others: a ring of the seconds of an hour.
        rng = np.random.default_rng((partition, self._many))
        self._hour: Ints = rng.integers(0, self._many, (HOUR_SECONDS, max(1, events_per_second // PARTITIONS)))
        self._rng = rng
        distinct = np.unique(self._hour)
        self._names: Names[Any] = Names(map(self._name, distinct.tolist()))
        self._counts = np.zeros((rows, len(distinct)), np.int64)
        self._count(np.searchsorted(distinct, self._hour.reshape(-1)), 1)

    def advance(self, now_s: int) -> Popularity:
        place = now_s % HOUR_SECONDS
        self._count(self._codes(self._hour[place]), -1)
        self._hour[place] = self._rng.integers(0, self._many, self._hour.shape[1])
        self._count(self._codes(self._hour[place]), 1)
        return Popularity(self._names, self._counts[:, : len(self._names)].copy())

    def _codes(self, numbers: Ints) -> Ints:
        return np.array([self._names.codes[self._name(number)] for number in numbers.tolist()])

    def _count(self, codes: Ints, by: int) -> None:
        self._counts = grown(self._counts, len(self._names))
        for row, own in enumerate((codes, codes[codes % _BOT_EVERY == 0])[: len(self._counts)]):
            np.add.at(self._counts[row], own, by)

    def _name(self, number: int) -> Any:
        match self._dimension:
            case "product":
                return ProductVariant(
                    f"P{number:06}", f"category {number % 13}", f"Product number {number} of the shop"
                )
            case "page":
                return f"/p/page-{number}"
            case "source":
                return f"site-{number}.example"
        return f"{self._dimension} {number}"


class _Partition:
    def __init__(self, number: int, events_per_second: int, latest: list[LatestEvent]) -> None:
        self._latest = [(event, number) for event in latest]
        self._tables = {
            key: _Table(key.partition("/")[2], len(own.events), number, events_per_second)
            for key, own in tables_of(_empty(0)).items()
        }

    def report(self, now_s: int) -> PartitionReport:
        tables = {key: table.advance(now_s) for key, table in self._tables.items()}
        snapshot = replace(_empty(now_s % 60), now_s=now_s, latest_events=self._latest)
        return PartitionReport(with_tables(snapshot, tables), 0, 0.0, 0, now_s * 1000)


@cache
def _empty(second: int) -> Snapshot:
    return snapshot_of(Windows(1_800_000_000 + second), Dictionaries(), 0)


def main(replicas: int, label: str, events_per_second: int) -> None:
    """Fill the hour, then let every replica publish each second."""
    now_s = int(time.time())
    (records,) = Clicks(seed=1, visitors=1000).between(now_s * 1000 - 1000, now_s * 1000, LATEST_EVENTS_SHOWN)
    latest = [LatestEvent(own.timestamp_ms, own.timestamp_ms, own.offset, "", own.value) for own in records]
    partitions = [_Partition(number, events_per_second, latest) for number in range(PARTITIONS)]
    spans, sent = [], []
    with ExitStack() as stack:
        clients: list[Any] = [stack.enter_context(connect(os.environ["REDIS_URL"])) for _ in range(replicas)]
        settings = AggregateSettings(redis_prefix=f"exchange-{uuid.uuid4().hex[:8]}:")  # other runs count other seconds
        publishers = [RedisPublisher(client, settings, f"r{n}") for n, client in enumerate(clients)]
        for each in publishers:
            each._lease._milliseconds = 60_000  # noqa: SLF001 - on a busy machine it would expire meanwhile
        publishers[0].publish(Publication(now_s, {}, [], {}))  # takes the lease
        for _ in repeat(None, SECONDS_BEFORE + SECONDS):
            now_s += 1
            reports = [own.report(now_s) for own in partitions]
            before = _bytes(clients[0])
            for place in reversed(range(replicas)):
                own = {number: reports[number] for number in range(place, PARTITIONS, replicas)}
                started = time.perf_counter()
                publishers[place].publish(Publication(now_s, own, [], dict.fromkeys(own, now_s)))
            spans.append((time.perf_counter() - started) * 1000)
            sent.append(_bytes(clients[0]) - before)
    spans = sorted(spans[SECONDS_BEFORE:])
    answer(
        {
            f"exchange_mb_s_{label}": round(sum(sent[SECONDS_BEFORE:]) / SECONDS / 1e6, 2),
            f"exchange_max_mb_{label}": round(max(sent) / 1e6, 1),
            f"exchange_publish_p50_ms_{label}": round(spans[len(spans) // 2], 1),
            f"exchange_publish_p99_ms_{label}": round(spans[math.ceil(0.99 * len(spans)) - 1], 1),
        }
    )


def _bytes(client: Any) -> int:
    stats = client.info("stats")
    return int(stats["total_net_input_bytes"] + stats["total_net_output_bytes"])


if __name__ == "__main__":
    quieten_logs()
    spare_garbage_collector()  # like the service
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else EVENTS_PER_SECOND)
