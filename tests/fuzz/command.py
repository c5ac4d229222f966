"""What `make fuzz` prints for each fuzzer."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from random import SystemRandom
from typing import Any

from shared.runtime.logs import configure_logs


def main(service: str, description: str | None, what: str, fuzz: Callable[[int, int], Counter[Any]]) -> int:
    """Call `fuzz(seed, number)` and print how often each outcome came. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=description)
    parser.add_argument("--events", type=int, default=1_000_000, help=f"how many {what} (default 1,000,000)")
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(10**6), help=f"selects the {what} (default random)"
    )
    options = parser.parse_args()
    configure_logs("fuzz", "auto", "ERROR")
    sys.stdout.write(f"{service}, seed {options.seed}\n")
    sys.stdout.flush()
    started = time.monotonic()
    outcomes = fuzz(options.seed, options.events)
    for outcome, count in outcomes.most_common():
        sys.stdout.write(f"{count:>12,}  {outcome}\n")
    sys.stdout.write(f"{outcomes.total():>12,}  in {time.monotonic() - started:.0f} s, each accounted for\n")
    return 0
