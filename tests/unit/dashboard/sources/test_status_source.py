"""The status source: two round trips a second for all viewers; failures are values, and the next answer recovers."""

import gc
import threading
from typing import Any

import fakeredis
import pytest

from services.dashboard.sources.observations import Reported, Unreachable
from services.dashboard.sources.status_source import StatusSource
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.writing import write_row
from shared.status.keys import write
from tests.support.fakes.counting_redis import Clock, CountingRedis
from tests.support.fakes.counting_redis import client as client
from tests.support.fakes.counting_redis import clock as clock
from tests.support.fakes.counting_redis import server as server
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.status import sample_status


@pytest.fixture
def source(client: CountingRedis, clock: Clock) -> StatusSource:
    return StatusSource(client, "", now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds)


def report(client: Any, clock: Clock, **fields: Any) -> None:
    write(client, sample_status(reported_at_ms=clock.now_ms, **fields), [], "")


def reported(source: StatusSource) -> Reported:
    observed = source.observe()
    assert isinstance(observed, Reported)
    return observed


def test_fifty_viewers_of_a_second_cost_the_round_trips_of_one(
    client: CountingRedis, source: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    client.round_trips = 0
    seen = {id(source.observe()) for _ in range(50)}
    assert (len(seen), client.round_trips) == (1, 3)  # the statuses, the meta of the rollup, and its last proof


def test_every_second_brings_new_figures_and_a_longer_curve(
    client: CountingRedis, source: StatusSource, clock: Clock
) -> None:
    for second in range(11):
        report(client, clock, events=second, events_per_second=second)
        (replica,) = reported(source).replicas
        assert replica.status.events == second
        clock.pass_seconds(1)
    assert list(replica.curves.events_per_second.values()) == [2, 7, 10]  # means of five, five and one


def test_it_is_empty_before_the_first_report(source: StatusSource, clock: Clock) -> None:
    observed = reported(source)
    assert (observed.replicas, observed.transitions, observed.at_ms) == ([], [], clock.now_ms)


def test_an_outage_has_its_start_and_the_last_reports_and_silences_no_replica(
    client: CountingRedis, server: fakeredis.FakeServer, source: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    before = reported(source)
    clock.pass_seconds(1)
    began_ms = clock.now_ms
    server.connected = False
    for _ in range(30):
        observed = source.observe()
        assert isinstance(observed, Unreachable)
        assert (observed.since_ms, observed.last) == (began_ms, before)
        clock.pass_seconds(1)
    server.connected = True
    (replica,) = reported(source).replicas
    assert replica.heard_ms == clock.now_ms  # the outage was 31 s, and the report is as old


def test_a_key_of_the_wrong_type_is_reported_until_it_is_valid_again(
    client: Any, source: StatusSource, clock: Clock
) -> None:
    client.set("status:replicas:aggregate", "text")
    assert reported(source).unreadable == {"status:replicas:aggregate": "a key of the wrong type"}
    report(client, clock)  # which replaces it
    clock.pass_seconds(1)
    assert len(reported(source).replicas) == 1


def test_it_watches_without_viewers_and_ends_with_its_last_reference(client: CountingRedis, clock: Clock) -> None:
    source = StatusSource(client, "", now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds)
    client.round_trips = 0
    before = set(threading.enumerate())
    source.keep_watching()
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "status watch"
    eventually(lambda: client.round_trips, "a look")
    del source

    def has_ended() -> bool:
        gc.collect()  # the source is a cycle, and the thread may still be in a look when it is dropped
        return not thread.is_alive()

    eventually(has_ended, "the end of the watch")


def test_it_has_the_meta_of_the_latest_rollup(client: CountingRedis, source: StatusSource, clock: Clock) -> None:
    report(client, clock)
    assert reported(source).meta is None
    rollup = sample_rollup(clock.now_ms)
    publish(client, rollup)
    clock.pass_seconds(1)
    assert reported(source).meta == rollup.meta


def test_it_has_the_last_proof_unless_that_is_unreadable(
    client: CountingRedis, source: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    assert reported(source).proof is None
    proof = Proof(result="different", at_ms=clock.now_ms, differences=2, note="rollup:all:views 1h: Redis 2, the log 1")
    with client.pipeline() as pipeline:
        write_row(pipeline, PROOF_ROW.key, PROOF_ROW, proof)
        pipeline.execute()
    clock.pass_seconds(1)
    assert reported(source).proof == proof
    client.hset(PROOF_ROW.key, "result", "fine")
    clock.pass_seconds(1)
    assert reported(source).proof is None


@pytest.mark.parametrize("is_a_hash", [True, False])
def test_a_meta_that_cannot_be_read_hides_no_status(
    client: CountingRedis, source: StatusSource, clock: Clock, is_a_hash: bool
) -> None:
    report(client, clock)
    if is_a_hash:
        publish(client, sample_rollup(clock.now_ms))
        client.hset("rollup:meta", "read", "x")
    else:
        client.set("rollup:meta", "x")
    observed = reported(source)
    assert observed.meta is None
    assert len(observed.replicas) == 1
