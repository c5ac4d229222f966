"""Resident memory per distinct page: `python -m benchmarks.name_memory EVENTS`. Linux only.

Folds the same number of clicks twice into the windows of a partition that stores nothing, and merges its names as the
publisher does: on a third as many pages, and on one page each. Pages have some forty characters. The encoder's caches
are equally full in both, because both have more pages than these hold.
"""

import sys
import time
from typing import Final

from benchmarks.engine import empty_partition, known_pages, merged
from benchmarks.memory import resident_bytes
from benchmarks.processes import answer, quieten_logs
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import HOUR_SECONDS
from shared.streams.event_log import Record

EVENTS: Final = 330_000
_BATCH_EVENTS: Final = 5_000
_VISITORS: Final = 1_000


def _measured(events: int, pages: int, until_s: int) -> tuple[int, int]:
    """The names that a partition and the publisher know after that many events, and the bytes that both take."""
    before = resident_bytes()
    partition = empty_partition(until_s - HOUR_SECONDS)
    for first in range(0, events, _BATCH_EVENTS):
        now_s = until_s - HOUR_SECONDS + HOUR_SECONDS * first // events
        partition.advance(now_s)
        partition.receive([_record(number, number % pages, now_s) for number in range(first, first + _BATCH_EVENTS)])
        partition.build_batch()
        partition.fold()
    partition.advance(until_s)
    partition.checkpoint()
    index = merged([partition])
    taken = resident_bytes() - before
    assert index  # held until it was measured
    return known_pages(partition), taken


def _record(number: int, page: int, now_s: int) -> Record:
    url = f"https://shop.example/search/{page:09d}/words-of-a-page"
    event = EnrichedEvent(now_s * 1000, f"visitor {number % _VISITORS}", url=url)
    return Record(0, number, now_s * 1000, None, encode_enriched(event))


def main(events: int) -> None:
    """Report the bytes per name."""
    now_s = int(time.time())
    measured = [_measured(events, pages, now_s) for pages in (events // 3, events // 3, events)]  # the first loads code
    (few, few_bytes), (many, many_bytes) = measured[1:]
    answer({"bytes_per_name": round((many_bytes - few_bytes) / (many - few), 1)})


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]))
