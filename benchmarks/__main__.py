"""`make bench`: CPU per event of the services beside a floor that only reads, in one run on a real Kafka broker.

Each step is a process of its own that works off the same number of events; its CPU time, all threads included, from
the first event to the last, is divided by that number. The floor reads a topic in batches and decodes each event; the
pass-through also encodes and produces each. See docs/performance.md.
"""

import argparse
import json
import os
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.steps import STEPS
from tests.servers import running_kafka, running_valkey

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    """Measure, print a table, write RESULTS."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events that each step works off (default 200000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each step; the median counts (default 3)")
    options = parser.parse_args()
    results: dict[str, float] = {"events": options.events}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clickpulse-bench-")))
        given = os.environ.get("KAFKA_BROKER")
        broker = given or stack.enter_context(running_kafka(folder)).address
        redis_url = stack.enter_context(running_valkey(folder))
        environment = {
            **os.environ,
            "KAFKA_BROKER": broker,
            "REDIS_URL": redis_url,
            "RAW_TOPIC": f"bench-raw-{uuid.uuid4().hex[:8]}",
            "ENRICHED_TOPIC": f"bench-enriched-{uuid.uuid4().hex[:8]}",
            "STATE_DIR": str(folder / "state"),
            "LOG_LEVEL": "WARNING",
        }
        _run("fill", options.events, environment)
        for step in STEPS:
            # In turn, so that a machine that slows down slows all of them.
            runs = [_run(step, options.events, environment) for _ in range(options.runs)]
            results[f"{step}_us"] = round(sorted(runs)[len(runs) // 2], 2)
    results["aggregate_ratio"] = round(results["aggregate_us"] / results["floor_us"], 2)
    results["enrich_ratio"] = round(results["enrich_us"] / results["passthrough_us"], 2)
    for name, figure in results.items():
        print(f"{name:<20}{figure:>12,}")  # noqa: T201 - the table is what the command is for
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _run(step: str, events: int, environment: dict[str, str]) -> float:
    """One step in a process of its own; what it prints last is the CPU time an event in µs."""
    command = [sys.executable, "-m", "benchmarks.steps", step, str(events)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
