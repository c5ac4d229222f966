"""`make bench`: measures the figures of the design's "Numbers" in one run, on a real Kafka broker and a real Valkey.

Each measurement runs in its own process; its module's docstring says what it includes and excludes. The broker is
KAFKA_BROKER, or else one started here. Topics and groups are deleted afterwards. See docs/performance.md.
"""

import argparse
import os
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import name_memory
from benchmarks.memory import IS_MEASURABLE, VISITORS
from benchmarks.processes import Figures, figures_of, figures_of_killed
from benchmarks.report import Value, circumstances, table, write_results
from tests.support.servers.kafka.broker import running_kafka
from tests.support.servers.valkey import running_valkey

RESULTS: Final = Path(__file__).parent / "results" / "latest.json"
STEPS: Final = (
    ("baselines", "bare_floor"),
    ("baselines", "floor"),
    ("baselines", "passthrough"),
    ("steps", "aggregate"),
    ("steps", "enrich"),
)
WINDOW_EVENTS: Final = 20_000  # few, because each costs Quix Streams' windows at least a tenth of a millisecond
MILLION: Final = 1_000_000

Environment = Mapping[str, str]


def main() -> int:
    """Measure, print a table and write RESULTS."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="events that each step processes (default 500000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each step; the median counts (default 3)")
    parser.add_argument("--window", type=int, default=MILLION, help="events in the largest window (default 1000000)")
    options = parser.parse_args()
    began = time.monotonic()
    figures: dict[str, Value] = {"events": options.events, "runs": options.runs, "window_events": options.window}
    with _servers() as (environment, folder):
        state = folder / "killed"
        # In parallel, because neither is timed. From here on, every process has the machine to itself.
        with ThreadPoolExecutor() as threads:
            filled = threads.submit(figures_of, "steps", "fill", str(options.events), environment=environment)
            figures |= _memory_and_disk(options.window, state, environment)
            filled.result()
        figures |= figures_of("restart", str(state), str(time.time()), environment=environment)
        figures |= _steps(options.events, options.runs, environment)
        figures |= figures_of("adversarial", "agents", "50000", environment=environment)
        figures |= figures_of("adversarial", "addresses", str(options.window), environment=environment)
        figures |= figures_of("crafted_ids", "10000", environment=environment)
        figures |= _publishes(options.window, environment)
        figures |= _rivals(environment)
    figures |= circumstances()
    figures["bench_seconds"] = round(time.monotonic() - began)
    print(table(figures))  # noqa: T201 - the command's output
    print(f"{figures['bench_seconds']} s in total; all figures are in {RESULTS}")  # noqa: T201
    write_results(RESULTS, figures)
    return 0


@contextmanager
def _servers() -> Iterator[tuple[Environment, Path]]:
    """The environment of the measurements, with topics for this run only, and a folder."""
    run = f"bench-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="clickpulse-bench-")))
        given = os.environ.get("KAFKA_BROKER")
        broker = given or stack.enter_context(running_kafka(folder)).address
        environment = {
            **os.environ,
            "KAFKA_BROKER": broker,
            "REDIS_URL": stack.enter_context(running_valkey(folder)),
            "RAW_TOPIC": f"{run}-raw",
            "ENRICHED_TOPIC": f"{run}-enriched",
            "STATE_DIR": str(folder / "state"),
        }
        if given:
            stack.callback(figures_of, "topics", run, environment=environment)
        yield environment, folder


def _steps(events: int, runs: int, environment: Environment) -> Figures:
    measured: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        # Interleaved, so that a machine that slows down slows all of them.
        for module, step in STEPS:
            for name, us in figures_of(module, step, str(events), environment=environment).items():
                measured[name].append(us)
    medians = {name: median(values) for name, values in measured.items()}
    return {
        **{name: round(us, 2) for name, us in medians.items()},
        "aggregate_bare_ratio": round(medians["aggregate_us"] / medians["bare_floor_us"], 2),
        "aggregate_ratio": round(medians["aggregate_us"] / medians["floor_us"], 2),
        "enrich_ratio": round(medians["enrich_us"] / medians["passthrough_us"], 2),
    }


def _publishes(window_events: int, environment: Environment) -> Figures:
    figures: Figures = {}
    for events, label in ((10_000, "10k"), (100_000, "100k"), (window_events, "1m")):
        figures |= figures_of("publish", str(events), label, environment=environment)
    figures |= figures_of("publish", str(window_events), "1m_names", "names", environment=environment)
    return figures


def _memory_and_disk(events: int, state: Path, environment: Environment) -> Figures:
    figures: Figures = {}
    if IS_MEASURABLE:
        figures |= figures_of("memory", str(VISITORS), environment=environment)
        figures |= figures_of("name_memory", str(name_memory.EVENTS), environment=environment)
    return figures | figures_of_killed("state", str(events), str(state), environment=environment)


def _rivals(environment: Environment) -> Figures:
    return (
        figures_of("quix_windows", "tumbling", str(WINDOW_EVENTS), environment=environment)
        | figures_of("quix_windows", "sliding", str(WINDOW_EVENTS), environment=environment)
        | figures_of("template", "10000", environment=environment)
    )


if __name__ == "__main__":
    sys.exit(main())
