"""`make load`: the rate that this machine sustains from producer to Redis, and the latency of a click on the way.

Broker, Redis, producer, enrich and aggregate share the machine. The rate rises by STEP per phase until a rate fails
twice, then drops by half a step. Latency is then measured at RATES and at the sustained rate. `--minutes` adds memory
over that time at half the sustained rate; the windows first get an hour of such clicks, because memory grows until the
trailing hour is full. With `--history`, history stores the clicks too, and its lag has to stay bounded.
`Phase.is_sustained` defines "sustained". Results are written after each phase. See docs/performance.md.
"""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.phases import Phase, run_phase
from benchmarks.processes import quieten_logs
from benchmarks.report import circumstances, write_results
from benchmarks.site import Servers, running_servers
from shared.events.time_units import HOUR_SECONDS
from tests.support.servers.postgres import Postgres, running_postgres

RESULTS: Final = Path(__file__).parent / "results" / "load.json"
STEP: Final = 4_000  # events/s
RATES: Final = (1_000, 10_000)


def main() -> int:
    """Measure, print each phase and write RESULTS."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=40, help="length of each phase after 10 s of warm-up (default 40)"
    )
    parser.add_argument(
        "--minutes", type=float, default=0, help="final phase at half the sustained rate with a full hour (default 0)"
    )
    parser.add_argument("--sustained", type=float, help="skip the search and use this sustained rate; 0: none")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="events/s to measure at (1000 10000)")
    parser.add_argument("--history", action="store_true", help="run history too, on a PostgreSQL of its own")
    options = parser.parse_args()
    began = time.monotonic()
    results: dict[str, object] = {**circumstances()}
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers())
        postgres = stack.enter_context(running_postgres()) if options.history else None
        measure = partial(_measure, servers, postgres, results)
        sustained = _sustained(measure, options.seconds) if options.sustained is None else float(options.sustained)
        results["sustained_rate"] = sustained
        for rate in (*options.rates, *([sustained] if sustained else [])):
            measure(rate, options.seconds, f"at_{rate:.0f}")
        if options.minutes and sustained:
            measure(sustained / 2, options.minutes * 60, "at_half", past_seconds=HOUR_SECONDS)
    seconds = time.monotonic() - began
    print(f"sustained: {sustained:,.0f} events/s; {seconds:,.0f} s in total; all figures are in {RESULTS}")  # noqa: T201
    return 0


def _sustained(measure: Callable[[float, float, str], Phase], seconds: float) -> float:
    """The highest sustained rate, or 0. A failed phase is repeated once, because the machine may be at fault."""
    rate, step = 0.0, float(STEP)
    while True:
        tries = (measure(rate + step, seconds, f"try_{rate + step:.0f}") for _ in range(2))
        if any(phase.is_sustained for phase in tries):
            rate += step
            if step < STEP:
                return rate
        elif step < STEP:
            return rate
        else:
            step /= 2


def _measure(
    servers: Servers,
    postgres: Postgres | None,
    results: dict[str, object],
    rate: float,
    seconds: float,
    name: str,
    *,
    past_seconds: int = 0,
) -> Phase:
    phase = run_phase(servers, rate, seconds, past_seconds=past_seconds, postgres=postgres)
    print(phase, flush=True)  # noqa: T201 - the command's output
    for process, sizes in phase.resident_mb.items() if seconds > 60 else ():
        print(f"    {process:<10} MB {sizes}")  # noqa: T201
    results[name] = asdict(phase) | {"is_sustained": phase.is_sustained}
    write_results(RESULTS, results)
    return phase


if __name__ == "__main__":
    quieten_logs()
    sys.exit(main())
