"""`make load`: the rate that this machine sustains from producer to Redis, and how long a click takes to get there.

Broker, Redis, producer, enrich and aggregate share the machine. The rate goes up by STEP from phase to phase until one
is not sustained twice, then half a step down; then the latency is measured at RATES and at the sustained rate, and with
`--minutes` the memory, so long at half the sustained rate, with an hour of such clicks in the windows before: until the
trailing hour is full, what it holds grows. What counts as sustained is in `Phase.is_sustained`. Results are written
after each phase. See docs/performance.md.
"""

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benchmarks.phases import Phase, run_phase
from benchmarks.processes import quieten_logs
from benchmarks.report import circumstances, write_results
from benchmarks.site import Servers, running_servers
from shared.events.time_units import HOUR_SECONDS

RESULTS: Final = Path(__file__).parent / "results" / "load.json"
STEP: Final = 4_000  # events/s
RATES: Final = (1_000, 10_000)


def main() -> int:
    """Measure, print each phase, write RESULTS."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=40, help="of each phase, after 10 s to warm up (default 40)")
    parser.add_argument(
        "--minutes", type=float, default=0, help="at half the sustained rate, at the end, the hour full (default 0)"
    )
    parser.add_argument("--sustained", type=float, help="take this rate as sustained instead of searching it; 0: none")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="events/s to measure at (1000 10000)")
    options = parser.parse_args()
    began = time.monotonic()
    results: dict[str, object] = {**circumstances()}
    with running_servers() as servers:
        sustained = (
            _sustained(servers, options.seconds, results) if options.sustained is None else float(options.sustained)
        )
        results["sustained_rate"] = sustained
        for rate in (*options.rates, *([sustained] if sustained else [])):
            _measure(servers, rate, options.seconds, f"at_{rate:.0f}", results)
        if options.minutes and sustained:
            _measure(servers, sustained / 2, options.minutes * 60, "at_half", results, past_seconds=HOUR_SECONDS)
    print(f"sustained: {sustained:,.0f} events/s; {time.monotonic() - began:,.0f} s in all; everything is in {RESULTS}")  # noqa: T201
    return 0


def _sustained(servers: Servers, seconds: float, results: dict[str, object]) -> float:
    """The greatest rate that was sustained; 0 for none. One bad phase alone may be the machine's: it is repeated."""
    rate, step = 0.0, float(STEP)
    while True:
        tries = (_measure(servers, rate + step, seconds, f"try_{rate + step:.0f}", results) for _ in range(2))
        if any(phase.is_sustained for phase in tries):
            rate += step
            if step < STEP:
                return rate
        elif step < STEP:
            return rate
        else:
            step /= 2


def _measure(
    servers: Servers, rate: float, seconds: float, name: str, results: dict[str, object], *, past_seconds: int = 0
) -> Phase:
    phase = run_phase(servers, rate, seconds, past_seconds=past_seconds)
    print(phase, flush=True)  # noqa: T201 - for people
    for process, sizes in phase.resident_mb.items() if seconds > 60 else ():
        print(f"    {process:<10} MB {sizes}")  # noqa: T201
    results[name] = asdict(phase) | {"is_sustained": phase.is_sustained}
    write_results(RESULTS, results)
    return phase


if __name__ == "__main__":
    quieten_logs()
    sys.exit(main())
