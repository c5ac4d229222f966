"""The status that a process reports."""

import os
import socket
from pathlib import Path

import pytest

from shared.events.collected import Collected
from shared.events.refusals import Reason
from shared.status.complaints import LastComplaint
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.sampler import Sampler, replica_name
from tests.support.samples.status import NOON_MS


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ms(self) -> int:
        return NOON_MS + round(1000 * self.seconds)

    def elapsed_seconds(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health("aggregate", clock.now_ms)


@pytest.fixture
def sampler(clock: Clock, gauges: Gauges, health: Health) -> Sampler:
    return Sampler(
        "aggregate",
        "host-1:7",
        health,
        gauges,
        LastComplaint(),
        now_ms=clock.now_ms,
        elapsed_seconds=clock.elapsed_seconds,
    )


def test_status_holds_gauges_and_health(sampler: Sampler, gauges: Gauges, health: Health, clock: Clock) -> None:
    gauges.add_batch(500, 0.0123)
    gauges.add_dead_letters([Reason.NOT_JSON, Reason.FUTURE, Reason.NOT_JSON])
    gauges.add_dead_letters([Reason.FUTURE])
    gauges.publish_ms, gauges.is_publisher, gauges.lag = 8.25, True, {0: 12, 3: 0}
    clock.seconds = 5
    health.failing("redis", "away")
    clock.seconds = 20
    health.failing("redis", "still away")
    status = sampler.sample("running")
    assert (status.service, status.replica, status.state) == ("aggregate", "host-1:7", "running")
    assert (status.started_at_ms, status.reported_at_ms) == (NOON_MS, NOON_MS + 20_000)
    assert (status.events, status.batch_ms, status.publish_ms, status.is_publisher) == (500, 12.3, 8.25, True)
    assert status.lag == {0: 12, 3: 0}
    assert status.dead_letters == {"not_json": 2, "future": 2}
    assert (status.troubles["redis"].reason, status.troubles["redis"].since_ms) == ("still away", NOON_MS + 5_000)
    assert status.version[0].isdigit()


def test_rate_is_the_mean_of_the_last_ten_seconds(sampler: Sampler, gauges: Gauges, clock: Clock) -> None:
    rates = []
    for second in range(1, 31):
        clock.seconds = second
        gauges.add_batch(100 if second <= 15 else 300, 0.01)
        rates.append(sampler.sample("running").events_per_second)
    assert rates[0] == 100  # from the first second on
    assert rates[14] == 100
    assert rates[19] == 200  # five seconds of each
    assert rates[29] == 300


def test_rate_of_an_idle_service_is_zero(sampler: Sampler, gauges: Gauges, clock: Clock) -> None:
    gauges.add_batch(1000, 0.1)
    for second in range(1, 13):
        clock.seconds = second
        rate = sampler.sample("running").events_per_second
    assert rate == 0


def test_cpu_and_memory_are_those_of_this_process(sampler: Sampler) -> None:
    deadline = os.times().user + 0.1
    while os.times().user < deadline:
        pass
    status = sampler.sample("running")
    assert status.cpu_share > 0
    assert status.memory_bytes > 10_000_000


def test_state_size_is_reported_for_each_partition(
    sampler: Sampler, gauges: Gauges, clock: Clock, tmp_path: Path
) -> None:
    for partition, size in ((0, 1000), (1, 50), (2, 7)):
        folder = tmp_path / str(partition)
        folder.mkdir()
        (folder / "000001.sst").write_bytes(b"x" * size)
        (folder / "000002.log").write_bytes(b"x" * size)
    gauges.state_directory = tmp_path
    assert sampler.sample("running").state_bytes == {}
    gauges.lag = {0: 0, 1: 0, 9: 0}
    assert sampler.sample("running").state_bytes == {0: 2000, 1: 100, 9: 0}
    (tmp_path / "0" / "000003.sst").write_bytes(b"x" * 400)
    clock.seconds = 1
    assert sampler.sample("running").state_bytes[0] == 2000  # scanned every five seconds
    clock.seconds = 6
    assert sampler.sample("running").state_bytes[0] == 2400


def test_counts_of_the_collector_are_of_one_instant(sampler: Sampler, gauges: Gauges) -> None:
    gauges.collected = Collected(9, 2, {"accepted": 4, "not_json": 3})
    status = sampler.sample("running")
    assert (status.received, status.waiting, status.collected) == (9, 2, {"accepted": 4, "not_json": 3})


def test_stopped_replica_has_no_troubles(sampler: Sampler, health: Health) -> None:
    health.failing("redis", "away")
    assert sampler.sample("stopped").troubles == {}


def test_replica_is_named_by_its_instance_id_or_by_host_and_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert replica_name("shop-0") == "shop-0"
    assert replica_name().endswith(f":{os.getpid()}")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert replica_name() == socket.gethostname()  # in a container
