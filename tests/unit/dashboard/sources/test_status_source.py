"""The reader of reports: one round trip a second for all viewers, failures as values, healed by the next answer."""

import gc
import threading
from typing import Any

import fakeredis
import pytest

from services.dashboard.sources.observations import Malformed, Reported, Unreachable
from services.dashboard.sources.status_source import StatusSource
from shared.status.keys import write
from tests.support.fakes.counting_redis import Clock, CountingRedis
from tests.support.fakes.counting_redis import client as client
from tests.support.fakes.counting_redis import clock as clock
from tests.support.fakes.counting_redis import server as server
from tests.support.polling import eventually
from tests.support.samples.status import sample_status


@pytest.fixture
def reader(client: CountingRedis, clock: Clock) -> StatusSource:
    return StatusSource(client, "", now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds)


def report(client: Any, clock: Clock, **fields: Any) -> None:
    write(client, sample_status(reported_at_ms=clock.now_ms, **fields), [], "")


def reported(reader: StatusSource) -> Reported:
    observed = reader.observe()
    assert isinstance(observed, Reported)
    return observed


def test_fifty_viewers_of_a_second_cost_one_round_trip(
    client: CountingRedis, reader: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    client.round_trips = 0
    seen = {id(reader.observe()) for _ in range(50)}
    assert (len(seen), client.round_trips) == (1, 1)


def test_each_second_brings_new_figures_and_a_longer_curve(
    client: CountingRedis, reader: StatusSource, clock: Clock
) -> None:
    for second in range(11):
        report(client, clock, events=second, events_per_second=second)
        (replica,) = reported(reader).replicas
        assert replica.status.events == second
        clock.pass_seconds(1)
    assert list(replica.curves.events_per_second.values()) == [2, 7, 10]  # means of five, five and one


def test_before_the_first_report_there_is_nothing(reader: StatusSource, clock: Clock) -> None:
    observed = reported(reader)
    assert (observed.replicas, observed.transitions, observed.at_ms) == ([], [], clock.now_ms)


def test_an_outage_is_told_with_its_beginning_and_the_last_reports_and_makes_nobody_silent(
    client: CountingRedis, server: fakeredis.FakeServer, reader: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    before = reported(reader)
    clock.pass_seconds(1)
    began_ms = clock.now_ms
    server.connected = False
    for _ in range(30):
        observed = reader.observe()
        assert isinstance(observed, Unreachable)
        assert (observed.since_ms, observed.last) == (began_ms, before)
        clock.pass_seconds(1)
    server.connected = True
    (replica,) = reported(reader).replicas
    assert replica.heard_ms == clock.now_ms  # the outage was 31 s, and the report is as old


def test_a_key_of_the_wrong_type_is_told_and_forgotten_once_it_is_right(
    client: Any, reader: StatusSource, clock: Clock
) -> None:
    report(client, clock)
    before = reported(reader)
    clock.pass_seconds(1)
    client.delete("status:replicas")
    client.set("status:replicas", "text")
    observed = reader.observe()
    assert isinstance(observed, Malformed)
    assert "wrong type" in observed.reason
    assert observed.last is before
    client.delete("status:replicas")
    report(client, clock)
    clock.pass_seconds(1)
    assert len(reported(reader).replicas) == 1


def test_it_watches_while_nobody_looks_and_ends_when_nobody_has_it(client: CountingRedis, clock: Clock) -> None:
    reader = StatusSource(client, "", now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds)
    client.round_trips = 0
    before = set(threading.enumerate())
    reader.keep_watching()
    (thread,) = set(threading.enumerate()) - before
    assert thread.name == "status watch"
    eventually(lambda: client.round_trips, "a look")
    del reader
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
