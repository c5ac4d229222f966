"""When rollups can be compared with the log, and what is said when they cannot."""

import time
from threading import Event
from typing import Any

import fakeredis
import pytest

from services.aggregate.proof.awaiting import Comparable, NotComparable, wait_for_rollups
from services.aggregate.settings import AggregateSettings
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import token_of
from shared.rollups.writing import RollupWriter
from shared.runtime.dependency import Stopped
from tests.support.samples.rollup import sample_rollup

TOPIC = AggregateSettings().enriched_topic


@pytest.fixture
def client() -> Any:
    return fakeredis.FakeRedis()


def publish(client: Any, **meta: Any) -> None:
    own = {"coverage_1h_s": 3600, "coverage_8h_s": 28_800, "partitions": 2, **meta}
    with client.pipeline() as pipeline:
        RollupWriter(client, "").write(pipeline, sample_rollup(**own))
        pipeline.execute()


def comparable(client: Any, **settings: Any) -> Comparable:
    return wait_for_rollups(client, AggregateSettings(**settings), 0, Event())


def refused(client: Any, **settings: Any) -> str:
    with pytest.raises(NotComparable) as refusal:
        comparable(client, **settings)
    return str(refusal.value)


@pytest.mark.parametrize("behind_s", [0, 1, 60])
def test_events_that_are_still_to_come_are_no_obstacle(client: Any, behind_s: int) -> None:
    publish(client, coverage_1h_s=3600 - behind_s, coverage_8h_s=28_800 - behind_s, lag=5)
    assert comparable(client).meta.lag == 5


@pytest.mark.parametrize(("hour_s", "eight_s"), [(3539, 28_739), (3600, 28_000), (3590, 3590), (0, 0)])
def test_a_gap_in_the_windows_is(client: Any, hour_s: int, eight_s: int) -> None:
    publish(client, coverage_1h_s=hour_s, coverage_8h_s=eight_s)
    assert refused(client).startswith(f"aggregate is behind: it has loaded {hour_s:,} s of the last hour")


def test_rollups_without_offsets_are_of_an_older_release(client: Any) -> None:
    publish(client)
    client.delete("rollup:offsets")
    assert refused(client) == "aggregate does not publish rollup:offsets; update it"
    client.set("rollup:offsets", "x")
    assert refused(client).startswith("rollup:offsets cannot be read: ")
    client.set("rollup:meta", "x")
    assert refused(client).startswith("rollup:meta cannot be read: ")


def test_an_erasure_has_to_be_honoured_by_every_partition(client: Any) -> None:
    publish(client)
    erasures = ErasureList(client, "")
    now_ms = time.time_ns() // 1_000_000
    until_ms = erasures.erase([token_of("ada")], now_ms, 10**9)
    assert refused(client) == "aggregate has not erased all forgotten visitors yet"
    erasures.report(TOPIC, {0: until_ms})
    assert refused(client) == "aggregate has not erased all forgotten visitors yet"
    erasures.report(TOPIC, {0: until_ms, 1: until_ms - 1})
    assert refused(client) == "aggregate has not erased all forgotten visitors yet"
    erasures.report(TOPIC, {1: until_ms})
    assert comparable(client).erasures.erases("ada", now_ms, now_ms)


def test_a_stop_ends_the_wait(client: Any) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        wait_for_rollups(client, AggregateSettings(), 60, stop)
