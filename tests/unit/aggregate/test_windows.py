"""The windows compared with the naive oracle: any order, any batches, any crash, at any publish instant."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.state.opening import resume
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import (
    BASE_S,
    GOALS,
    NAIVE_GOALS,
    as_records,
    assert_equals_the_oracle,
    events,
    figures,
    fold,
    published_at,
)
from tests.support.oracle.naive_rollups import Arrived, outcomes, rollups

FAR_END = 2**60
ASSIGNMENT = Assignment(0, 0, FAR_END)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Arrived], int]:
    """A partition's log, and the publish instant."""
    log: list[Arrived] = []
    arrival_ms = BASE_S * 1000
    for offset in range(draw(st.integers(0, 40))):
        arrival_ms += draw(st.sampled_from([0, 0, 1, 400, 1000, 61_000, 1_800_000]))
        log.append(Arrived(draw(events(arrival_ms, "abcd", ["e1", "e2"])), arrival_ms, 0, offset))
    now_s = arrival_ms // 1000 + draw(st.sampled_from([0, 1, 59, 60, 61, 1800, 3600]))
    return log, now_s


@given(scenario=logs(), data=st.data())
@settings(max_examples=100)
def test_any_batches_and_crashes_give_the_oracles_counts(
    scenario: tuple[list[Arrived], int], data: st.DataObject
) -> None:
    log, now_s = scenario
    records = as_records(log)
    cuts = sorted({0, len(records), *data.draw(st.lists(st.integers(0, len(records)), max_size=6), label="cuts")})
    store = MemoryStore()
    clock_s = BASE_S
    partition = resume(store, ASSIGNMENT, clock_s, goals=GOALS)
    for first, last in pairwise(cuts):
        # When a batch is folded, the clock is anywhere between the first arrival and now.
        clock_s = max(clock_s, data.draw(st.integers(BASE_S, now_s), label="clock"))
        partition.advance(clock_s)
        fold(partition, records[first:last])
        what = data.draw(st.sampled_from(["continue", "checkpoint", "crash", "checkpoint, then crash"]), label="then")
        if "checkpoint" in what:
            partition.checkpoint()
        if "crash" in what:
            partition = resume(store, ASSIGNMENT, clock_s, goals=GOALS)
            assert partition.next_offset == last
    assert_equals_the_oracle(published_at([partition], now_s), log, now_s, goals=NAIVE_GOALS)


@given(scenario=logs())
@settings(max_examples=50)
def test_merged_partitions_equal_a_single_one(scenario: tuple[list[Arrived], int]) -> None:
    log, now_s = scenario
    placed = [Arrived(a.event, a.arrival_ms, ord(a.event.userId) % 3, a.offset) for a in log]
    partitions = [resume(MemoryStore(), Assignment(number, 0, FAR_END), BASE_S, goals=GOALS) for number in range(3)]
    for number, partition in enumerate(partitions):
        fold(partition, as_records([a for a in placed if a.partition == number]))
    one_way = published_at(partitions, now_s)
    assert figures(one_way) == figures(published_at(partitions[::-1], now_s))
    assert_equals_the_oracle(one_way, placed, now_s, goals=NAIVE_GOALS)


@given(scenario=logs())
@settings(max_examples=50)
def test_the_clock_alone_empties_every_window_on_time(scenario: tuple[list[Arrived], int]) -> None:
    log, now_s = scenario
    counted = outcomes(log)["counted"]
    partition = resume(MemoryStore(), ASSIGNMENT, BASE_S, goals=GOALS)
    fold(partition, as_records(log))
    for later_s in (now_s, now_s + 1, now_s + 299, now_s + 300, now_s + 3601, now_s + 40_000):
        assert figures(published_at([partition], later_s)) == rollups(counted, later_s, NAIVE_GOALS)
