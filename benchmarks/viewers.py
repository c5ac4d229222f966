"""`python -m benchmarks.viewers`: the cost of open dashboard pages, and the latency of their refreshes.

A viewer is a light client of Streamlit's protocol with its own WebSocket. On the wire it does what the page's
JavaScript does (open, then request the fragment every second); it draws nothing. The dashboard runs in its own process,
on its own Valkey with a new rollup every second. Viewers start spread over a second.

CPU is that of the dashboard process after the pages have opened. The load average is reported too, because other
processes compete for the cores. Linux only.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

import redis
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from shared.rollups.contract import AUDIENCE_ROWS, SNAPSHOT_ROWS
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

_START_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 5.0  # from the opening of the last page to the first measured refresh
_QUARTERS: Final = 4  # of the measured time; flat memory grows in none of the later ones
_ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")


@dataclass(slots=True)
class Tally:
    """What the viewers saw of the dashboard."""

    refresh_s: list[float] = field(default_factory=list)  # from request to the end of the response
    missed: int = 0  # refreshes due while the previous one was unanswered
    messages: int = 0
    received_bytes: int = 0
    errors: int = 0


class Viewer:
    """One open page."""

    def __init__(self, url: str, number: int, tally: Tally) -> None:
        self._url = url
        self._zone = _ZONES[number % len(_ZONES)]
        self._mode = ("light", "dark")[number % 2]
        self._tally = tally
        self._fragment = ""
        self._interval_s = 1.0
        self._page = ""
        self._finished = asyncio.Event()
        self.is_open = asyncio.Event()

    async def watch(self, until: asyncio.Event) -> None:
        """Open the page and refresh it until `until` is set."""
        options: dict[str, Any] = {"subprotocols": ["streamlit"], "max_size": None, "compression": None}
        async with connect(self._url, open_timeout=_START_SECONDS, **options) as socket:
            receiving = asyncio.create_task(self._receive(socket))
            await socket.send(self._rerun(""))
            await self._finished.wait()
            self.is_open.set()
            while not until.is_set():
                asked = time.perf_counter()
                self._finished.clear()
                await socket.send(self._rerun(self._fragment))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._finished.wait(), 30)
                took = time.perf_counter() - asked
                self._tally.refresh_s.append(took)
                self._tally.missed += int(took / self._interval_s)
                await asyncio.sleep(max(0.0, self._interval_s - took))
            receiving.cancel()

    async def _receive(self, socket: ClientConnection) -> None:
        async for payload in socket:
            assert isinstance(payload, bytes)
            self._tally.messages += 1
            self._tally.received_bytes += len(payload)
            message = ForwardMsg.FromString(payload)
            match message.WhichOneof("type"):
                case "new_session":
                    self._page = message.new_session.page_script_hash
                case "auto_rerun":
                    self._fragment = message.auto_rerun.fragment_id
                    self._interval_s = message.auto_rerun.interval
                case "script_finished":
                    self._tally.errors += message.script_finished not in _GOOD_ENDS
                    self._finished.set()

    def _rerun(self, fragment: str) -> bytes:
        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash = self._page
        state.fragment_id = fragment
        state.is_auto_rerun = bool(fragment)
        state.context_info.timezone = self._zone
        state.context_info.locale = "en"
        state.context_info.color_scheme = self._mode
        encoded: bytes = message.SerializeToString()
        return encoded


_GOOD_ENDS: Final = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


def main(arguments: Sequence[str]) -> int:
    """Measure and print one flat JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("--viewers", type=int, default=50, help="open pages (default 50)")
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure (default 60)")
    options = parser.parse_args(arguments)
    with (
        TemporaryDirectory(prefix="clickpulse-viewers-") as folder,
        running_valkey(Path(folder)) as redis_url,
        _publishing(redis_url),
        _dashboard(redis_url, Path(folder) / "dashboard.log") as (process, port),
    ):
        figures = asyncio.run(measure(process.pid, port, redis_url, options.viewers, options.seconds))
    print(json.dumps(figures, indent=2))  # noqa: T201 - the command's output
    return 0


async def measure(pid: int, port: int, redis_url: str, viewers: int, seconds: float) -> dict[str, float]:
    """Open pages of the dashboard (process `pid`, at `port`), watch them and return the figures."""
    tally, until = Tally(), asyncio.Event()
    opened = [Viewer(f"ws://127.0.0.1:{port}/_stcore/stream", number, tally) for number in range(viewers)]
    watching = []
    for viewer in opened:
        watching.append(asyncio.create_task(viewer.watch(until)))
        await asyncio.wait([watching[-1], asyncio.create_task(viewer.is_open.wait())], return_when="FIRST_COMPLETED")
        if watching[-1].done():
            await watching[-1]  # raises the error that kept the page from opening
        await asyncio.sleep(1 / viewers)
    await asyncio.sleep(_SETTLE_SECONDS)
    tally.refresh_s.clear()
    tally.missed = tally.messages = tally.received_bytes = 0
    round_trips = _snapshots(redis_url)
    began, cpu, resident = time.monotonic(), _cpu_seconds(pid), [_resident_mb(pid)]
    for _ in range(_QUARTERS):
        await asyncio.sleep(seconds / _QUARTERS)
        resident.append(_resident_mb(pid))
    lasted, used = time.monotonic() - began, _cpu_seconds(pid) - cpu
    round_trips = _snapshots(redis_url) - round_trips
    seen = replace(tally, refresh_s=list(tally.refresh_s))
    until.set()
    await asyncio.gather(*watching)
    percentiles = quantiles([1000 * took for took in seen.refresh_s], n=100)
    refreshes = len(seen.refresh_s)
    return {
        "viewers": viewers,
        "seconds": round(lasted, 1),
        "refreshes": refreshes,
        "refreshes_per_viewer_s": round(refreshes / lasted / viewers, 3),
        "cpu_cores": round(used / lasted, 3),
        "cpu_ms_per_refresh": round(1000 * used / refreshes, 2),
        "refresh_p50_ms": round(percentiles[49], 1),
        "refresh_p99_ms": round(percentiles[98], 1),
        "refreshes_missed": seen.missed,
        "errors": seen.errors,
        "kb_per_refresh": round(seen.received_bytes / refreshes / 1024, 1),
        "messages_per_refresh": round(seen.messages / refreshes, 1),
        "redis_round_trips_s": round(round_trips / lasted, 2),
        "resident_mb": round(resident[-1], 1),
        "resident_growth_mb": round(resident[-1] - resident[0], 2),
        **{
            f"resident_growth_mb_quarter_{number}": round(after - before, 2)
            for number, (before, after) in enumerate(pairwise(resident), 1)
        },
        "load_average": round(os.getloadavg()[0], 2),
    }


@contextlib.contextmanager
def _publishing(redis_url: str) -> Iterator[None]:
    """Publish a rollup with new counts every second."""
    stop = Event()

    def publish_each_second() -> None:
        with redis.Redis.from_url(redis_url) as client:
            number = 0
            while True:
                number += 1
                as_of_ms = int(time.time()) * 1000
                publish(client, sample_rollup(as_of_ms, newest_event_ms=as_of_ms - number % 3, read=1_234_567))
                if stop.wait(1 - time.time() % 1):
                    return

    thread = Thread(target=publish_each_second, name="publisher")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def _dashboard(redis_url: str, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    port = free_port()
    environment = {**os.environ, "REDIS_URL": redis_url, "DASHBOARD_PORT": str(port), "DASHBOARD_VIEWERS": "10000"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.dashboard"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the dashboard did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _snapshots(redis_url: str) -> int:
    """The number of snapshots read: each reads every list of the contract, and nothing else reads lists."""
    lists = sum(row.codec.type == "list" for rows in (SNAPSHOT_ROWS, AUDIENCE_ROWS) for row in rows.values())
    with redis.Redis.from_url(redis_url) as client:
        return int(client.info("commandstats").get("cmdstat_lrange", {}).get("calls", 0)) // lists


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
