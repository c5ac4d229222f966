"""The clicks that the benchmark of history stores: visitors return, in sessions of some five clicks."""

from collections import defaultdict
from itertools import pairwise

from benchmarks.clicks import PARTITIONS
from benchmarks.history.visits import visits
from shared.events.time_units import DAY_MS, MINUTE_MS
from shared.streams.event_log import Record

FROM_MS = 1_795_348_800_000
BATCH = 100


def batches(span_ms: int = 3 * DAY_MS) -> list[list[Record]]:
    """Of many pieces, so that sessions cross their edges."""
    return list(visits(1, 50, FROM_MS, FROM_MS + span_ms, 3_000, BATCH, sessions_at_once=20))


def test_batches_are_full_and_follow_one_another_in_time() -> None:
    span_ms = 60 * MINUTE_MS  # so short that most sessions cross an edge
    made = batches(span_ms)
    assert {len(batch) for batch in made[:-1]} == {BATCH}
    newest_ms = FROM_MS
    for batch in made:
        times_ms = [record.timestamp_ms for record in batch]
        assert newest_ms <= min(times_ms)
        newest_ms = max(times_ms)
    assert newest_ms < FROM_MS + span_ms


def test_each_partition_has_every_offset_in_order() -> None:
    offsets = defaultdict(list)
    for batch in batches():
        assert [record.partition for record in batch] == sorted(record.partition for record in batch)
        for record in batch:
            offsets[record.partition].append(record.offset)
    assert sorted(offsets) == list(range(PARTITIONS))
    assert all(own == list(range(len(own))) for own in offsets.values())


def test_visitors_return_in_sessions_of_some_five_clicks() -> None:
    times = defaultdict(list)
    for batch in batches():
        for record in batch:
            times[record.key].append(record.timestamp_ms)
    events = sum(map(len, times.values()))
    sessions = sum(
        1 + sum(after - before > 30 * MINUTE_MS for before, after in pairwise(own))
        for own in map(sorted, times.values())
    )
    assert 2_700 < events < 3_300
    assert 4 < events / sessions < 7
    assert sessions > 5 * len(times)
