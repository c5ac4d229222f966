"""The reporter against a real Redis that starts late, stops or hangs: it never blocks the service."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
import pytest

from shared.runtime.redis_client import connect
from shared.runtime.settings import RedisSettings
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.keys import Statuses, read, write
from shared.status.replica_status import ReplicaStatus, State
from shared.status.reporter import Reporter, reporting
from tests.support.polling import eventually
from tests.support.samples.status import NOON_MS, sample_status
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

QUICK_SECONDS = 0.02


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def messages(reports: Statuses) -> list[str]:
    return [transition.message for transition in reversed(reports.transitions)]


def test_process_reports_while_it_runs_and_at_its_end(redis_url: str) -> None:
    health, gauges = Health("enrich"), Gauges()
    settings = RedisSettings(redis_url=redis_url, redis_prefix="shop:")
    with connect(redis_url) as client:
        with reporting("enrich", settings, health, gauges, "shop-0"):
            (first,) = eventually(lambda: read(client, "shop:").replicas or None, "the first report")
            assert (first.service, first.replica, first.state, first.health) == (
                "enrich",
                "shop-0",
                "running",
                "healthy",
            )
            health.failing("log", "away")
            gauges.lag = {0: 5}
            eventually(lambda: read(client, "shop:").replicas[0].lag == {0: 5}, "the next report")
        reports = read(client, "shop:")
    (last,) = reports.replicas
    assert (last.state, last.lag, last.troubles) == ("stopped", {0: 5}, {})
    assert messages(reports) == [
        f"started, version {first.version}",
        "log fails: away",
        "reads partition 0",
        "stopped",
    ]


@pytest.mark.parametrize(
    ("state", "silent_ms", "is_crash"), [("running", 9_000, True), ("running", 500, False), ("stopped", 9_000, False)]
)
def test_a_process_that_takes_the_name_of_one_that_crashed_says_so(
    state: State, silent_ms: int, is_crash: bool
) -> None:
    client = fakeredis.FakeRedis()
    former = sample_status("enrich", "shop-0", state=state, reported_at_ms=NOON_MS - silent_ms)
    write(client, former, [], "")
    write(client, sample_status("enrich", "other", reported_at_ms=NOON_MS - 9_000), [], "")
    reporter = Reporter(client, "", lambda state: sample_status("enrich", "shop-0", state=state))
    reporter.report("running")
    reporter.report("running")
    found = [message for message in messages(read(client, "")) if "crash" in message]
    last = "2026-11-22T11:59:51Z"
    assert found == ([f"restarted after a crash: the process before it reported last at {last}"] if is_crash else [])


def test_raising_block_is_reported_as_failed(redis_url: str) -> None:
    settings = RedisSettings(redis_url=redis_url)
    with pytest.raises(RuntimeError), reporting("enrich", settings, Health("enrich"), Gauges()):
        raise RuntimeError("a bug")
    with connect(redis_url) as client:
        reports = read(client, "")
    assert reports.replicas[0].state == "failed"
    assert "failed; the trace is in its log" in messages(reports)


def test_transitions_of_an_outage_are_written_after_it(tmp_path: Path) -> None:
    port = free_port()
    lag: dict[int, int] = {}

    def sample(state: State) -> ReplicaStatus:
        return sample_status(state=state, lag=dict(lag), reported_at_ms=now_ms())

    with (
        connect(f"redis://127.0.0.1:{port}/0", timeout_seconds=0.5) as client,
        Reporter(client, "", sample, QUICK_SECONDS),
    ):
        time.sleep(5 * QUICK_SECONDS)  # a few reports without a Redis
        lag[3] = 0
        time.sleep(5 * QUICK_SECONDS)
        with running_valkey(tmp_path, port) as url, connect(url) as reader:
            expected = ["started, version 0.1.0", "publishes the rollups", "reads partition 3"]
            eventually(lambda: messages(read(reader, "")) == expected, "what happened in the outage")
            time.sleep(5 * QUICK_SECONDS)
            assert len(read(reader, "").transitions) == 3  # each once


@contextmanager
def hanging_server() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_hanging_redis_delays_the_end_by_seconds_at_most() -> None:
    with hanging_server() as port:
        settings = RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0")
        began = time.monotonic()
        with reporting("enrich", settings, Health("enrich"), Gauges()):
            assert time.monotonic() - began < 0.9  # the timeout is a second
        assert time.monotonic() - began < 4


def test_reporter_removes_silent_replicas(redis_url: str) -> None:
    with connect(redis_url) as client, connect(redis_url) as other:
        old = sample_status("aggregate", "departed", reported_at_ms=now_ms() - 700_000)
        with Reporter(other, "", lambda state: sample_status(state=state, reported_at_ms=now_ms()), QUICK_SECONDS):
            pass
        with Reporter(other, "", lambda _: old, 60):
            pass
        assert len(read(client, "").replicas) == 2
        with Reporter(other, "", lambda state: sample_status(state=state, reported_at_ms=now_ms()), QUICK_SECONDS):
            eventually(lambda: len(read(client, "").replicas) == 1, "the departed removed")
