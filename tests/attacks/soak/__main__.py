"""`make soak`: a million pages an hour and an attacker who sends only new names, on a real Kafka and Redis.

The windows first get an hour of such clicks. Then the whole pipeline runs for --minutes. Twice enrich and aggregate are
killed and started again. Every SAMPLE_SECONDS a line goes to FOLDER/samples.csv, every publish to FOLDER/publishes.csv.
In the end the clicks stop, and the last hour of the topic is counted by brute force. The exit code is 1 when a figure
is wrong.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import redis

from benchmarks.paced_clicks import WORLD
from benchmarks.processes import quieten_logs
from benchmarks.site import fresh_site, load_lookups, running_servers, wait_until
from shared.rollups.contract import META_KEY
from shared.runtime.redis_client import connect
from tests.attacks.soak.recount import recount
from tests.support.servers.server_process import free_port

SAMPLE_SECONDS: Final = 10.0
SERVICES: Final = ("enrich", "aggregate", "dashboard")
KILLED_AT: Final = {"enrich": 0.45, "aggregate": 0.6}
"""The share of the time after which a service is killed."""
HONEST_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "pages_1h": ("/popular-",),
    "countries_1h": ("Kenya", "France", "Japan"),
    "event_types_1h": ("page_view", "purchase"),
}
_POLL_SECONDS: Final = 0.05
_FRESH_MS: Final = 3_000
_LAG: Final = 1_500


class Site:
    """The services, and what is seen of them."""

    def __init__(self, environment: dict[str, str], folder: Path, client: redis.Redis, servers: dict[str, int]) -> None:
        self.environment, self.folder, self.client, self.servers = environment, folder, client, servers
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.publishes: list[tuple[int, float]] = []
        self.recoveries: dict[str, float] = {}
        self.phase = "start"
        self._stop = Event()

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "services.cli", name], env=self.environment, stdout=log, stderr=log
            )

    def stop(self) -> None:
        self._stop.set()
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()

    def meta(self) -> dict[str, str]:
        stored: Any = self.client.hgetall(META_KEY)
        return {name.decode(): value.decode() for name, value in stored.items()}

    def is_current(self) -> bool:
        meta = self.meta()
        age_ms = time.time() * 1000 - int(meta.get("as_of_ms", 0))
        return age_ms < _FRESH_MS and int(meta.get("lag") or 10**9) < _LAG and int(meta.get("coverage_1h_s", 0)) > 3500

    def kill(self, name: str) -> None:
        """Kill it, start it again and note how long until it has caught up and the rollups have, too."""
        self.phase = f"kill {name}"
        began, killed_ms = time.monotonic(), time.time() * 1000
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)
        wait_until(lambda: self._is_back(name, killed_ms), f"{name} has caught up", 240, required=False)
        self.recoveries[name] = round(time.monotonic() - began, 1)
        self.phase = "run"

    def _is_back(self, name: str, killed_ms: float) -> bool:
        own = [status for status in self.statuses(name) if status["started_at_ms"] > killed_ms]
        lags = [lag for status in own for lag in status.get("lag", {}).values()]
        return (
            bool(lags)
            and None not in lags
            and sum(lags) < _LAG
            and self.is_current()
            and int(self.meta()["as_of_ms"]) > killed_ms + 1000
        )

    def statuses(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.client.hgetall(f"status:replicas:{name}").values()]

    def watch(self) -> None:
        """Note each publish until stopped."""
        last = 0
        with (self.folder / "publishes.csv").open("w") as file, connect(self.environment["REDIS_URL"]) as client:
            while not self._stop.wait(_POLL_SECONDS):
                as_of = int(client.hget(META_KEY, "as_of_ms") or 0)
                if as_of != last:
                    last = as_of
                    file.write(f"{as_of},{time.time() * 1000 - as_of:.0f},{self.phase},{os.getloadavg()[0]:.1f}\n")
                    file.flush()

    def sample(self) -> None:
        """Note sizes until stopped."""
        with (self.folder / "samples.csv").open("w") as file:
            writer: csv.DictWriter[str] | None = None
            while not self._stop.wait(SAMPLE_SECONDS):
                row = self._row()
                if writer is None:
                    writer = csv.DictWriter(file, row)
                    writer.writeheader()
                writer.writerow(row)
                file.flush()

    def _row(self) -> dict[str, Any]:
        meta = self.meta()
        row: dict[str, Any] = {
            "at_s": round(time.time()), "phase": self.phase, "load": round(os.getloadavg()[0], 1),
            "age_ms": round(time.time() * 1000 - int(meta.get("as_of_ms", 0))), "lag": meta.get("lag"),
            "counted": meta.get("counted"), "coverage_1h_s": meta.get("coverage_1h_s"),
        }  # fmt: skip
        pids = {name: process.pid for name, process in self.running.items()} | self.servers
        for name in (*SERVICES, *self.servers):
            row[f"{name}_mb"] = _memory_mb(pids.get(name, 0), "status", "VmRSS")
            row[f"{name}_pss_mb"] = _memory_mb(pids.get(name, 0), "smaps_rollup", "Pss")
        (status,) = self.statuses("aggregate")[-1:] or [{}]
        row["publish_ms"] = status.get("publish_ms")
        row["enrich_lag"] = sum(sum(s.get("lag", {}).values()) for s in self.statuses("enrich")[-1:])
        row["other"] = json.dumps(status.get("counted_as_other", {}))
        row["troubles"] = json.dumps({part: trouble["reason"] for part, trouble in status.get("troubles", {}).items()})
        row["redis_used_mb"] = round(self.client.info("memory")["used_memory"] / 1e6, 1)
        row["state_mb"] = round(sum(f.stat().st_size for f in _files(Path(self.environment["STATE_DIR"]))) / 1e6, 1)
        return row


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in folder.rglob("*") if path.is_file()]
    return []


def _memory_mb(pid: int, file: str, field: str) -> float | None:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


def main() -> int:
    """Run it and print the verdict."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--past-minutes", type=float, default=60, help="of clicks before the start (default 60)")
    parser.add_argument("--max-names", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks/results/soak"))
    parser.add_argument("--until", type=float, help="epoch seconds at which the clicks end at the latest")
    parser.add_argument("--hostile-orders", action="store_true", help="each hostile click is an order")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the services too
    options.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers())
        port = free_port()
        environment = fresh_site(
            servers, MAX_NAMES=str(options.max_names), DASHBOARD_PORT=str(port), LOG_LEVEL="INFO",
            DASHBOARD_ADDRESS="127.0.0.1",
        )  # fmt: skip
        load_lookups(WORLD, environment)
        client = stack.enter_context(connect(servers.redis_url))
        site = Site(environment, options.folder, client, dict(servers.process_ids))
        stack.callback(site.stop)
        for name in SERVICES:
            site.start(name)
        (options.folder / "where.json").write_text(
            json.dumps(
                {
                    "dashboard": f"http://127.0.0.1:{port}",
                    "redis": servers.redis_url,
                    "broker": servers.broker,
                    "topic": environment["ENRICHED_TOPIC"],
                    "pids": {name: process.pid for name, process in site.running.items()},
                }
            )
        )
        wait_until(lambda: "as_of_ms" in site.meta(), "the first rollup is published", 120)
        threads = [Thread(target=site.watch, daemon=True), Thread(target=site.sample, daemon=True)]
        for thread in threads:
            thread.start()
        seconds = options.minutes * 60
        command = [sys.executable, "-m", "tests.attacks.soak.clicks"]
        clicks = subprocess.Popen(
            [*command, str(seconds), str(options.past_minutes * 60), *["sells"] * options.hostile_orders],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(clicks.kill)
        assert clicks.stdout is not None
        site.phase = "fill"
        began = time.monotonic()
        _say(f"filled: {clicks.stdout.readline().strip()}")
        wait_until(site.is_current, "the hour is read", 600, required=False)
        _say(f"caught up after {time.monotonic() - began:.0f} s")
        site.phase = "run"
        began = time.monotonic()
        if options.until:
            seconds = min(seconds, options.until - time.time())
        for name, share in KILLED_AT.items():
            time.sleep(max(0, began + share * seconds - time.monotonic()))
            site.kill(name)
            _say(f"killed {name}: current again after {site.recoveries[name]} s")
        time.sleep(max(0, began + seconds - time.monotonic()))
        clicks.terminate()
        clicks.wait()
        site.phase = "end"
        wait_until(lambda: site.is_current() and site.meta()["lag"] == "0", "all is read", 60, required=False)
        time.sleep(4)
        site.running["aggregate"].send_signal(signal.SIGSTOP)  # Redis keeps what it shows
        found = recount(servers.broker, environment["ENRICHED_TOPIC"], client, HONEST_NAMES)
        site.running["aggregate"].send_signal(signal.SIGCONT)
        found["recoveries_s"] = site.recoveries
        _say(json.dumps(found, indent=1))
        (options.folder / "verdict.json").write_text(json.dumps(found, indent=1))
    return int(bool(found["wrong"] or found["too_long"]))


if __name__ == "__main__":
    quieten_logs()
    sys.exit(main())
