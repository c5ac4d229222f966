"""The command line of `clickpulse demo`."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.demo.settings import DemoSettings
from shared.runtime.settings_help import settings_help

_DESCRIPTION = """\
Run all of Clickpulse on this machine: an embedded Valkey (or the Redis that REDIS_URL names), generated or replayed
clicks, and each service in its own process. Prints the dashboard's URL once it shows numbers. Ctrl-C stops everything
within five seconds; the next start continues with the same data."""

_EPILOG = """\
examples:
  clickpulse demo                                 generated clicks: the past eight hours first, then live
  clickpulse demo --rate 50 --fresh               more clicks, starting empty
  clickpulse demo --port 8600 --redis-port 6400   other ports
  clickpulse demo --replay access.log.gz          your own clicks, the last one shifted to now
  clickpulse demo --replay clicks.csv -- --map visitor_id=userId --map time=timestamp

Arguments after -- go to `clickpulse generate` or `clickpulse replay`. The services read the environment, too;
.env.example lists their settings.
Exit codes: 0 stopped, 1 failed, 2 wrong option or setting, 3 a demo already runs in that folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line."""

    state_dir: Path
    fresh: bool
    browser: bool
    port: int | None
    redis_port: int | None
    rate: float | None
    seed: int | None
    replay: Path | None
    products: Path | None
    visitors: Path | None
    traffic_arguments: tuple[str, ...]


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Exits with code 2 and names the option when one is wrong."""
    own, traffic_arguments = _split(argv)
    parser = _parser()
    given = parser.parse_args(own)
    if given.replay is None and (given.products or given.visitors):
        parser.error("--products and --visitors need --replay FILE; generated traffic has its own")
    if given.replay is not None and (given.rate is not None or given.seed is not None):
        parser.error("--rate and --seed apply to generated traffic; with --replay FILE use -- --speed 60")
    if given.redis_port is not None and given.redis_port == given.port:
        parser.error(f"--port and --redis-port need different ports, got {given.port} for both")
    for option in ("replay", "products", "visitors"):
        file: Path | None = getattr(given, option)
        if file is not None and not file.is_file():
            parser.error(f"argument --{option}: {file} does not exist or is not a file")
    return Options(
        state_dir=given.state_dir,
        fresh=given.fresh,
        browser=given.browser,
        port=given.port,
        redis_port=given.redis_port,
        rate=given.rate,
        seed=given.seed,
        replay=given.replay,
        products=given.products,
        visitors=given.visitors,
        traffic_arguments=traffic_arguments,
    )


def _split(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    if "--" not in argv:
        return list(argv), ()
    place = list(argv).index("--")
    return list(argv[:place]), tuple(argv[place + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clickpulse demo",
        description=_DESCRIPTION,
        epilog=f"{_EPILOG}\n\n{settings_help(DemoSettings)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="send this recording instead of generated clicks")
    parser.add_argument("--products", type=Path, metavar="FILE", help="with --replay: product lookups to load first")
    parser.add_argument("--visitors", type=Path, metavar="FILE", help="with --replay: visitor lookups to load first")
    parser.add_argument("--rate", type=_rate, metavar="N", help="generated clicks per second, on average")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the generated visitors and clicks")
    parser.add_argument(
        "--port", type=_port, metavar="PORT", help="the dashboard's port (default 8501, or the next free)"
    )
    parser.add_argument("--redis-port", type=_port, metavar="PORT",
                        help="the embedded Redis server's port (default 6379, or the next free)")  # fmt: skip
    parser.add_argument("--state-dir", type=Path, metavar="DIR", default=Path(".clickpulse"),
                        help="folder for all data (default .clickpulse)")  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="clear the state directory first")
    parser.add_argument("--browser", action=argparse.BooleanOptionalAction, default=False,
                        help="open the dashboard in a browser once it is ready (default: no)")  # fmt: skip
    return parser


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"expected clicks per second above 0, such as 5 or 0.5, got {text!r}")
    return rate


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, such as 8501, got {text!r}")
    return int(text)
