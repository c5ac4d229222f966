"""`make bench-history`: the figures of history, on a PostgreSQL of its own.

Fills its tables through the code of the service, without Kafka, then asks its API, in a process of its own, what
Explore asks. See docs/performance.md, History.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.history.fill import fill
from benchmarks.history.questions import at_once, one_by_one
from benchmarks.history.serve import READY
from benchmarks.history.server import disk_bytes, settle
from benchmarks.history.views import Access
from benchmarks.processes import Figures, quieten_logs
from benchmarks.report import Value, circumstances, table, write_results
from benchmarks.site import wait_until
from benchmarks.usage import resident_mb
from services.history.api.keys import new_key
from services.history.sql.migrating import migrate
from tests.support.servers.postgres import Postgres, running_postgres
from tests.support.servers.server_process import free_port

RESULTS: Final = Path(__file__).parents[1] / "results" / "history.json"
_KEPT: Final = "filled.json"
_LOADED: Final = ("all raw events are in memory", "older raw events do not fit")
_LOAD_SECONDS: Final = 900.0


def main() -> int:
    """Measure, print a table and write RESULTS."""
    parser = argparse.ArgumentParser(prog="make bench-history", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000, help="events to store, about (default 20000000)")
    parser.add_argument("--days", type=float, default=30, help="days up to now over which they spread (default 30)")
    parser.add_argument("--visitors", type=int, default=500_000, help="visitors (default 500000)")
    parser.add_argument("--repetitions", type=int, default=60, help="of each view (default 60)")
    parser.add_argument("--viewers", type=int, default=20, help="viewers at once (default 20)")
    parser.add_argument("--seconds", type=float, default=60, help="how long they look (default 60)")
    folder = parser.add_mutually_exclusive_group()
    folder.add_argument("--keep", type=Path, metavar="FOLDER", help="fill a new folder, and keep it")
    folder.add_argument("--reuse", type=Path, metavar="FOLDER", help="ask about what --keep left, without filling")
    options = parser.parse_args()
    kept: Path | None = options.keep or options.reuse
    if options.keep is not None and (options.keep / "data").exists():
        parser.error(f"--keep: {options.keep} holds data already; --reuse measures them")
    began = time.monotonic()
    with running_postgres(kept) as postgres:
        if options.reuse is None:
            figures = _filled(postgres, options.events, options.days, options.visitors)
            if kept is not None:
                (kept / _KEPT).write_text(json.dumps(figures))
        else:
            figures = json.loads((options.reuse / _KEPT).read_text())
            migrate(lambda: postgres.url)
        with _running_api(postgres.url, 1 + options.viewers) as (process_id, accesses, warm_seconds):
            figures["history_warm_s"] = round(warm_seconds, 1)
            figures |= one_by_one(accesses[0], options.repetitions, _report)
            figures |= at_once(accesses[1:], options.seconds)
            figures["history_api_mb"] = round(resident_mb(process_id))
    results: dict[str, Value] = {**figures, "load_average": round(os.getloadavg()[0], 1), **circumstances()}
    results["bench_seconds"] = round(time.monotonic() - began)
    print(table(results))  # noqa: T201 - the command's output
    print(f"{results['bench_seconds']} s in total; all figures are in {RESULTS}")  # noqa: T201
    write_results(RESULTS, results)
    return 0


def _filled(postgres: Postgres, events: int, days: float, visitors: int) -> Figures:
    figures = fill(postgres, events, days, visitors, _report)
    settle(postgres.url)
    sizes = disk_bytes(postgres.url)
    per_event = {f"history_{kind}_bytes": round(own / figures["events"], 1) for kind, own in sizes.items()}
    return {"days": days, "visitors": visitors, **figures, **per_event}


@contextmanager
def _running_api(url: str, keys: int) -> Iterator[tuple[int, Sequence[Access], float]]:
    """The API with the raw events in memory: its process, a key for each who asks, and how long loading took."""
    port = free_port()
    made = [new_key(f"bench-{number}") for number in range(keys)]
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder:
        keys_file, log = Path(folder) / "keys.toml", Path(folder) / "log"
        keys_file.write_text("\n".join(f"{lines}requests_per_minute = 100000\n" for _, lines in made))
        environment = {
            **os.environ,
            "HISTORY_URL": url,
            "HISTORY_API_PORT": str(port),
            "API_KEYS_FILE": str(keys_file),
        }
        command = [sys.executable, "-m", "benchmarks.history.serve"]
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True
            ) as process,
        ):
            assert process.stdout is not None
            try:
                if process.stdout.readline().strip() != READY:
                    raise RuntimeError(f"the API does not start:\n{log.read_text()}")
                accesses = [Access(f"http://127.0.0.1:{port}", key) for key, _ in made]
                yield process.pid, accesses, _warmed(log)
            finally:
                process.terminate()


def _warmed(log: Path) -> float:
    """Wait until the log says that the raw events are in memory. Returns the seconds."""
    began = time.monotonic()
    wait_until(lambda: any(own in log.read_text() for own in _LOADED), "raw events are in memory", _LOAD_SECONDS)
    took = time.monotonic() - began
    _report(f"in memory after {took:.1f} s")
    return took


def _report(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)  # noqa: T201 - progress of the command


if __name__ == "__main__":
    quieten_logs()
    sys.exit(main())
