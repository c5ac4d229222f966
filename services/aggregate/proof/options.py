"""The command line of `clickpulse prove`."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from services.aggregate.proof.settings import ProofSettings
from shared.rollups.proof import Source
from shared.runtime.settings_help import settings_help

EQUAL: Final = 0
DIFFERENT: Final = 1
NOT_COMPARED: Final = 4
_WAIT_SECONDS: Final = 60
_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What to count again, how long to wait for rollups that can be compared, and how many differences to print."""

    source: Source
    wait_seconds: float
    lines: int


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Exits with code 2 and a message if it is invalid."""
    parser = ArgumentParser(
        prog="clickpulse prove",
        description="Count the event log again, by brute force, and compare every rollup in Redis with that; or count\n"
        "the events that history stores in PostgreSQL. Prints each figure that differs, and changes nothing but the\n"
        "result in Redis, rollup:proof. Give it the settings of aggregate, and of history for PostgreSQL.",
        epilog=f"{settings_help(ProofSettings)}\n\n"
        "Exit codes: 0 no difference, 1 differences, 2 wrong option or setting, 4 nothing could be compared: there\n"
        "are no rollups, aggregate is behind, the log no longer reaches back, or SQL and Redis never had the same\n"
        "events.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=get_args(Source),
        default="log",
        help="what to count: the event log (default), or the events that history stores in SQL",
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for rollups that can be compared, for minute segments that are to be rewritten, and "
        f"until SQL and Redis have the same events (default {_WAIT_SECONDS})",
    )
    parser.add_argument(
        "--lines", type=_number, default=_LINES, metavar="N", help=f"how many differences to print (default {_LINES})"
    )
    given = parser.parse_args(argv)
    return Options(given.source, given.wait, given.lines)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ArgumentTypeError("expected 0 to 3600 seconds")
    return seconds


def _number(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ArgumentTypeError("expected 0 or more")
    return number
