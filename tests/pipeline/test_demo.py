"""`clickpulse demo` from the outside: numbers, a restart after a crash, a quick stop, persistent data."""

import os
import re
import signal
import socket
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest
import redis

from services.history.embedded import reached_server
from shared.privacy.visitor_history import HistoryUnavailable
from tests.support.servers.demo import CLICKPULSE, FIRST_NUMBERS_SECONDS, processes, running
from tests.support.servers.server_process import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the demo's processes in /proc"),
]

RATE = 2
STOP_SECONDS = 5.0
SALES_SECONDS = 60.0


def demo_command(state_dir: Path, port: int, *options: str) -> list[str]:
    return [*CLICKPULSE, "demo", "--state-dir", str(state_dir), "--port", str(port), *options]


def meta(client: redis.Redis, field: str) -> int:
    return int(client.hget("rollup:meta", field) or 0)


def half_hours_with_views(client: redis.Redis) -> int:
    return sum(int(views) > 0 for views in client.hvals("rollup:all:views:30m"))


def test_numbers_a_restart_after_a_crash_a_quick_stop_and_persistent_data(tmp_path: Path) -> None:
    port, redis_port = free_port(), free_port()
    command = demo_command(tmp_path / "state", port, "--rate", str(RATE), "--redis-port", str(redis_port))
    with running(command) as demo:
        with demo.ready() as client:
            assert client.connection_pool.connection_kwargs["port"] == redis_port
            # The past eight hours come first, so all past half hours are on the screen at once.
            demo.wait_until(lambda: half_hours_with_views(client) >= 16, FIRST_NUMBERS_SECONDS)
            assert client.zcard("rollup:all:products:1h") > 0
            assert client.exists("category_popularity")
            assert status_of(port) == 200
            # With the past come its orders, and the goals of the simulated shop.
            demo.wait_until(lambda: int(client.hget("rollup:human:revenue", "orders_8h") or 0) > 0, SALES_SECONDS)
            assert client.hget("rollup:human:revenue", "currency") == "EUR"
            assert client.zscore("rollup:human:goals:1h", "Add to cart") is not None

            history = tmp_path / "state" / "history"
            demo.wait_until(lambda: events_in(history) > 0, FIRST_NUMBERS_SECONDS)

            os.kill(demo.service("aggregate"), signal.SIGKILL)
            demo.wait_until_shown("aggregate ended (killed by SIGKILL); restarting", 60)
            demo.wait_until_shown("aggregate restarted", 60)
            published = meta(client, "as_of_ms")
            demo.wait_until(lambda: meta(client, "as_of_ms") > published, 60)
            counted = meta(client, "counted")

        own = list(demo.descendants())
        assert len(own) >= 6
        assert demo.stop() < STOP_SECONDS, demo.output
        assert demo.process.returncode == 0, demo.output
        assert not (history / "postmaster.pid").exists()
        # The dashboard has no state to lose and stops slowly on a busy machine, where a process that has closed
        # everything may still take a while to end.
        closed = re.findall(r"(\w+) │ .*\bstopped \[shared\.runtime\.process\]", demo.output.rpartition("stopping")[2])
        killed = set(re.findall(r"(\w+) did not stop in time", demo.output))
        assert killed <= {"dashboard", *closed}, demo.output
        assert [pid for pid in own if pid in processes()] == []

    with running(command) as again:
        with again.ready() as client:
            assert meta(client, "counted") >= counted
        assert again.stop() < STOP_SECONDS, again.output


def test_no_process_outlives_a_killed_demo(tmp_path: Path) -> None:
    with running(demo_command(tmp_path, free_port())) as demo:
        demo.wait_until(lambda: len(demo.descendants()) >= 4, 60)
        own = list(demo.descendants())
        demo.process.kill()
        demo.process.wait()
    deadline = time.monotonic() + 10
    while any(pid in processes() for pid in own):
        assert time.monotonic() < deadline, "a process outlived the demo"
        time.sleep(0.05)


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running(demo_command(tmp_path, free_port())) as first:
        first.wait_until(lambda: len(first.descendants()) > 0, 60)
        with running(demo_command(tmp_path, free_port(), "--fresh")) as second:
            assert second.ended(60) == 3
        assert f"a demo (process {first.process.pid}) already runs in {tmp_path}" in second.output
        assert first.stop() < STOP_SECONDS


@pytest.mark.parametrize("option", ["--port", "--redis-port"])
def test_a_port_in_use_is_named_with_the_option_that_changes_it(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running([*CLICKPULSE, "demo", "--state-dir", str(tmp_path), option, str(port)]) as demo:
            assert demo.ended(60) == 2
        assert f"argument {option}: port {port} is in use, try {option}" in demo.output


def events_in(history: Path) -> int:
    """How many events history's own PostgreSQL has; 0 while it starts."""
    if not (history / "postmaster.pid").exists():
        return 0
    with suppress(HistoryUnavailable, psycopg.Error), reached_server(history) as url:
        with psycopg.connect(url()) as connection:
            row = connection.execute("SELECT count(*) FROM events").fetchone()
        assert row is not None
        return int(row[0])
    return 0


def status_of(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()
