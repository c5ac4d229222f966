"""The command line of `clickpulse prove`."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.aggregate.settings import AggregateSettings
from shared.runtime.settings_help import settings_help

EQUAL: Final = 0
DIFFERENT: Final = 1
NOT_COMPARED: Final = 4
_WAIT_SECONDS: Final = 60
_LINES: Final = 100


@dataclass(frozen=True, slots=True)
class Options:
    """How long to wait for rollups that can be compared, and how many differences to print."""

    wait_seconds: float
    lines: int


def parse(argv: Sequence[str]) -> Options:
    """Parse the command line. Exits with code 2 and a message if it is invalid."""
    parser = ArgumentParser(
        prog="clickpulse prove",
        description="Count the event log again, by brute force, and compare every rollup in Redis with that. Prints\n"
        "each figure that differs, and changes nothing but the result in Redis, rollup:proof. Give it the\n"
        "settings of aggregate.",
        epilog=f"{settings_help(AggregateSettings)}\n\n"
        "Exit codes: 0 no difference, 1 differences, 2 wrong option or setting, 4 nothing could be compared: there\n"
        "are no rollups, aggregate is behind, or the log no longer reaches back.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for rollups that can be compared, and for minute segments that are to be rewritten "
        f"(default {_WAIT_SECONDS})",
    )
    parser.add_argument(
        "--lines", type=_number, default=_LINES, metavar="N", help=f"how many differences to print (default {_LINES})"
    )
    given = parser.parse_args(argv)
    return Options(given.wait, given.lines)


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
