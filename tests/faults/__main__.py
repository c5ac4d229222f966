"""`make test-faults` breaks a whole site, as a seed decides, and reports whether a number changed."""

import argparse
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.plan import broker_plan, kafka_plan, redis_plan
from tests.faults.run import run
from tests.faults.site import BATCH_RECORDS, a_site


def main() -> int:
    """Return 0 when nothing is lost or doubled; otherwise raise and keep the logs."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs every `finally`, so that no process stays
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix=f"clickpulse-faults-{seed}-"))
    if options.broker_crashes:
        plan = broker_plan(seed, options.broker_crashes)
    elif options.log == "kafka":
        plan = kafka_plan(seed, options.kills, options.longest_outage)
    else:
        plan = redis_plan(seed, options.kills, options.longest_outage)
    _say(f"seed {seed}, {len(plan)} faults, logs in {folder}")
    try:
        with a_site(folder, options.log, options.batch_records) as site:
            run(site, plan, seed, options.rate, _say)
    except BaseException:
        _say(f"FAILED with seed {seed}; the logs are in {folder}")
        raise
    shutil.rmtree(folder)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make test-faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="seed of clicks and faults (random, printed)")
    parser.add_argument("--kills", type=int, default=1000, help="least number of processes to kill (1000)")
    parser.add_argument("--log", choices=["kafka", "redis"], default="kafka", help="the event log (kafka)")
    parser.add_argument("--longest-outage", type=float, default=60.0, help="longest cut of a wire in seconds (60)")
    parser.add_argument("--broker-crashes", type=int, default=0, help="instead, crash only the broker, this many times")
    parser.add_argument(
        "--batch-records",
        type=int,
        default=BATCH_RECORDS,
        help=f"most records of a transaction ({BATCH_RECORDS}; production has 5000, which recovers sooner)",
    )
    parser.add_argument("--rate", type=int, default=60, help="clicks per second (60)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
