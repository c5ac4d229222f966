"""The rollup source: one round trip a second for all viewers; failures are values, and the next answer recovers."""

import threading

import fakeredis
import pytest

from services.dashboard.sources.observations import Empty, Live, Malformed, Unreachable
from services.dashboard.sources.rollup_source import RollupSource
from shared.rollups.model import AUDIENCES
from tests.support.fakes.counting_redis import Clock, CountingRedis
from tests.support.fakes.counting_redis import client as client
from tests.support.fakes.counting_redis import clock as clock
from tests.support.fakes.counting_redis import server as server
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.status import NOON_MS


@pytest.fixture
def source(client: CountingRedis, clock: Clock) -> RollupSource:
    return RollupSource(client, "", now_ms=clock.tell_ms, elapsed_seconds=clock.tell_seconds)


def test_fifty_viewers_of_a_second_cost_one_round_trip(client: CountingRedis, source: RollupSource) -> None:
    publish(client, sample_rollup())
    client.round_trips = 0
    seen = {id(source.observe("all")) for _ in range(50)}
    assert (len(seen), client.round_trips) == (1, 1)


def test_a_page_that_refreshes_every_second_gets_a_new_snapshot_each_time(
    client: CountingRedis, source: RollupSource, clock: Clock
) -> None:
    for number in range(3):
        publish(client, sample_rollup(read=number))
        observed = source.observe("all")
        assert isinstance(observed, Live)
        assert observed.snapshot.meta.read == number
        clock.pass_seconds(0.98)  # timers may be slightly early


def test_audiences_are_observed_separately(client: CountingRedis, source: RollupSource) -> None:
    publish(client, sample_rollup())
    everyone, bots = source.observe("all"), source.observe("bot")
    assert isinstance(everyone, Live)
    assert isinstance(bots, Live)
    assert everyone.snapshot.windows.visitors["1h"] == 3 * bots.snapshot.windows.visitors["1h"]


def test_it_is_empty_before_the_first_publish(source: RollupSource) -> None:
    assert isinstance(source.observe("all"), Empty)


def test_an_outage_has_its_start_and_the_last_numbers_and_recovers(
    client: CountingRedis, server: fakeredis.FakeServer, source: RollupSource, clock: Clock
) -> None:
    publish(client, sample_rollup(read=7))
    assert isinstance(source.observe("all"), Live)
    clock.pass_seconds(1)
    began_ms = clock.now_ms
    server.connected = False
    for _ in range(3):
        observed = source.observe("all")
        assert isinstance(observed, Unreachable)
        assert observed.since_ms == began_ms
        assert observed.last is not None
        assert observed.last.meta.read == 7
        clock.pass_seconds(1)
    server.connected = True
    assert isinstance(source.observe("all"), Live)


def test_an_outage_from_the_start_has_no_numbers(server: fakeredis.FakeServer, source: RollupSource) -> None:
    server.connected = False
    observed = source.observe("all")
    assert isinstance(observed, Unreachable)
    assert observed.last is None


def test_a_malformed_key_is_named_until_it_is_valid_again(
    client: CountingRedis, source: RollupSource, clock: Clock
) -> None:
    publish(client, sample_rollup())
    assert isinstance(source.observe("all"), Live)
    clock.pass_seconds(1)
    client.hset("rollup:all:views", "5m", "many")
    observed = source.observe("all")
    assert isinstance(observed, Malformed)
    assert "rollup:all:views" in observed.reason
    assert observed.last is not None
    publish(client, sample_rollup())
    clock.pass_seconds(1)
    assert isinstance(source.observe("all"), Live)


def test_a_hanging_redis_delays_one_viewer_only(client: CountingRedis, source: RollupSource, clock: Clock) -> None:
    publish(client, sample_rollup())
    before = source.observe("all")
    clock.pass_seconds(1)
    client.round_trips, client.gate = 0, threading.Event()
    held = threading.Thread(target=source.observe, args=("all",), name="held viewer")
    held.start()
    eventually(lambda: client.round_trips == 1, "one viewer asking")
    assert source.observe("all") is before
    client.gate.set()
    held.join(20)
    assert source.observe("all") is not before
    assert client.round_trips == 1


def test_it_remembers_how_many_partitions_a_complete_snapshot_had(
    client: CountingRedis, source: RollupSource, clock: Clock
) -> None:
    seen = []
    for partitions, coverage_s in ((3, 0), (4, 28_800), (3, 0), (2, 0), (2, 60), (1, 0)):
        publish(client, sample_rollup(partitions=partitions, coverage_8h_s=coverage_s))
        observed = source.observe("all")
        assert isinstance(observed, Live)
        seen.append(observed.partitions_before)
        clock.pass_seconds(1)
    assert seen == [0, 4, 4, 4, 2, 2]


def test_it_counts_the_late_events_of_the_last_minute(
    client: CountingRedis, source: RollupSource, clock: Clock
) -> None:
    seen = []
    looks = [  # second, late events so far, partitions
        *[(0, 7, 4), (1, 7, 4), (2, 10, 4), (61, 11, 4), (62, 11, 4), (130, 11, 4)],
        *[(131, 5, 3), (132, 11, 4), (133, 12, 4)],  # a partition is away, and back
    ]
    for second, late, partitions in looks:
        publish(client, sample_rollup(as_of_ms=NOON_MS + second * 1000, late=late, partitions=partitions))
        answers = [source.observe(audience) for audience in AUDIENCES]
        clock.pass_seconds(1)
        seen.append({observed.late_lately for observed in answers if isinstance(observed, Live)})
    assert seen == [{0}, {0}, {3}, {4}, {1}, {0}, {0}, {0}, {1}]
