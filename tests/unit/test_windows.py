"""The windows against the naive oracle: any order, any batches, any crash, at any publish instant."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from services.aggregate.partition import Partition, resume
from services.aggregate.publication import published
from services.aggregate.rollups import merge
from shared.events import DEVICE_TYPES, EnrichedEvent, encode_enriched
from shared.rollup_keys import AUDIENCES, Meta, Rollup
from shared.streams import Assignment, Record
from tests.memory_store import MemoryStore
from tests.oracle import Arrived, outcomes, rollups

BASE_S = 1_795_343_400 - 1800 * 3  # a half hour begins here
FAR_END = 2**60
ASSIGNMENT = Assignment(0, 0, FAR_END)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Arrived], int]:
    """A partition's log, and the second at which it is looked at. Few names, so that visitors and products recur."""
    seconds_back = st.one_of(
        st.integers(-60, 120),
        st.sampled_from([299, 300, 301, 599, 600, 601, 899, 900, 1799, 1800, 1801, 3599, 3600, 3601, 7199, 7200]),
        st.integers(0, 9 * 3600),
        st.sampled_from([28_799, 28_800, 28_801, 16 * 1800, 17 * 1800, 17 * 1800 + 1]),
    )
    log: list[Arrived] = []
    arrival_ms = BASE_S * 1000
    for offset in range(draw(st.integers(0, 40))):
        arrival_ms += draw(st.sampled_from([0, 0, 1, 400, 1000, 61_000, 1_800_000]))
        product = draw(st.sampled_from([None, "p1", "p2", "p3"]))
        timestamp = arrival_ms - draw(seconds_back) * 1000 - draw(st.sampled_from([0, 0, 1, 999]))
        event = EnrichedEvent(
            timestamp=timestamp,
            userId=draw(st.sampled_from(["a", "b", "c", "d"])),
            productId=product,
            category=None if product is None else draw(st.sampled_from(["books", "shoes"])),
            title=product,
            country=draw(st.sampled_from(["France", "Kenya"])),
            deviceType=draw(st.sampled_from(DEVICE_TYPES)),
            eventId=draw(st.one_of(st.just(UNSET), st.sampled_from(["e1", "e2"]))),
        )
        log.append(Arrived(event, arrival_ms, 0, offset))
    now_s = arrival_ms // 1000 + draw(st.sampled_from([0, 1, 59, 60, 61, 1800, 3600]))
    return log, now_s


def as_records(log: list[Arrived]) -> list[Record]:
    return [Record(a.partition, a.offset, a.arrival_ms, b"", encode_enriched(a.event)) for a in log]


def figures(rollup: Rollup) -> dict[str, Any]:
    found: dict[str, Any] = {audience: asdict(rollup.audiences[audience]) for audience in AUDIENCES}
    identity = [
        [(e["timestamp"], e["userId"], e["productId"]) for e in events]
        for events in (rollup.latest_events, rollup.latest_visitors)
    ]
    found["latest_events"], found["latest_visitors"] = identity
    found["newest_event_ms"] = rollup.meta.newest_event_ms
    found["seed_products"] = [((product, category), count) for product, category, count in rollup.seed.products_1h]
    return found


def published_at(partitions: list[Partition], now_s: int) -> Rollup:
    for partition in partitions:
        partition.advance(now_s)
    merged = merge([partition.roll_up() for partition in partitions])
    meta = Meta(
        as_of_ms=now_s * 1000,
        newest_event_ms=merged.newest_event_ms,
        **asdict(merged.conservation),
        read=merged.conservation.read,
    )
    return published(merged, meta, expose_pii=True)


def fold(partition: Partition, records: list[Record]) -> None:
    if records:
        partition.fold(partition.take_in(records), records[-1].timestamp_ms)


def assert_equals_the_oracle(rollup: Rollup, log: list[Arrived], now_s: int) -> None:
    expected = outcomes(log)
    found, wanted = figures(rollup), rollups(expected["counted"], now_s)
    for audience in AUDIENCES:
        for name, figure in wanted[audience].items():
            assert found[audience][name] == figure, (audience, name)
    assert found == wanted
    for outcome, events in expected.items():
        assert getattr(rollup.meta, outcome) == len(events), outcome
    assert rollup.meta.balances


@given(scenario=logs(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_batches_and_crashes_give_what_the_oracle_counts(
    scenario: tuple[list[Arrived], int], data: st.DataObject
) -> None:
    log, now_s = scenario
    records = as_records(log)
    cuts = sorted({0, len(records), *data.draw(st.lists(st.integers(0, len(records)), max_size=6), label="cuts")})
    store = MemoryStore()
    clock_s = BASE_S
    partition = resume(store, ASSIGNMENT, clock_s)
    for first, last in pairwise(cuts):
        # The clock stands anywhere between the first arrival and now when a batch is folded.
        clock_s = max(clock_s, data.draw(st.integers(BASE_S, now_s), label="clock"))
        partition.advance(clock_s)
        fold(partition, records[first:last])
        what = data.draw(st.sampled_from(["go on", "checkpoint", "crash", "checkpoint, then crash"]), label="then")
        if "checkpoint" in what:
            partition.checkpoint()
        if "crash" in what:
            partition = resume(store, ASSIGNMENT, clock_s)
            assert partition.next_offset == last
    assert_equals_the_oracle(published_at([partition], now_s), log, now_s)


@given(scenario=logs())
@settings(max_examples=50, deadline=None)
def test_partitions_merge_to_what_one_gives(scenario: tuple[list[Arrived], int]) -> None:
    log, now_s = scenario
    placed = [Arrived(a.event, a.arrival_ms, ord(a.event.userId) % 3, a.offset) for a in log]
    partitions = [resume(MemoryStore(), Assignment(number, 0, FAR_END), BASE_S) for number in range(3)]
    for number, partition in enumerate(partitions):
        fold(partition, as_records([a for a in placed if a.partition == number]))
    one_way = published_at(partitions, now_s)
    assert figures(one_way) == figures(published_at(partitions[::-1], now_s))
    assert_equals_the_oracle(one_way, placed, now_s)


@given(scenario=logs())
@settings(max_examples=50, deadline=None)
def test_the_clock_alone_empties_every_window_on_time(scenario: tuple[list[Arrived], int]) -> None:
    log, now_s = scenario
    counted = outcomes(log)["counted"]
    partition = resume(MemoryStore(), ASSIGNMENT, BASE_S)
    fold(partition, as_records(log))
    for later_s in (now_s, now_s + 1, now_s + 299, now_s + 300, now_s + 3601, now_s + 40_000):
        assert figures(published_at([partition], later_s)) == rollups(counted, later_s)
