"""The command lines of `clickpulse forget` and `clickpulse export`."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Final

from services.enrich.erasure.settings import ErasureSettings
from shared.runtime.settings_help import settings_help

_WAIT_SECONDS: Final = 60


def forget_parser() -> ArgumentParser:
    """The parser of `clickpulse forget`."""
    parser = _parser(
        "forget",
        "Erase visitors: their lookups, Redis keys, records of the event log, aggregate's state, and events in\n"
        "PostgreSQL. The events up to now are erased; later ones count, as those of new visitors. Prints what was\n"
        "removed where, and what expires when. Name all visitors in one call: each call makes aggregate read the log\n"
        "of the last hours again.",
        "Exit codes: 0 done, 1 failed, or aggregate has not erased its state or PostgreSQL was unreachable (run it\n"
        "again), 2 wrong option or setting.",
    )
    parser.add_argument("users", nargs="+", metavar="USER", help="a userId, as the site sends it")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be removed")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for aggregate to erase its state (default {_WAIT_SECONDS})",
    )
    return parser


def export_parser() -> ArgumentParser:
    """The parser of `clickpulse export`."""
    parser = _parser(
        "export",
        "Print everything that is stored about a visitor as JSON: lookups, Redis keys, records of the event log, and\n"
        "events in PostgreSQL.",
        "Exit codes: 0 done, 1 failed, 2 wrong option or setting.",
    )
    parser.add_argument("user", metavar="USER", help="a userId, as the site sends it")
    return parser


def _parser(command: str, description: str, exit_codes: str) -> ArgumentParser:
    return ArgumentParser(
        prog=f"clickpulse {command}",
        description=description,
        epilog=f"{settings_help(ErasureSettings)}\n\n{exit_codes}",
        formatter_class=RawDescriptionHelpFormatter,
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise ArgumentTypeError("expected 0 to 3600 seconds")
    return seconds
