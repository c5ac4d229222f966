"""The command line of `clickpulse dead-letters`."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.enrich.dead_letters.text import parse_since
from shared.events.refusals import Reason
from shared.runtime.settings import ServiceSettings
from shared.runtime.settings_help import settings_help

_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Options:
    """The job and its dead letters. Empty `reasons` mean any reason; `topic` None means RAW_TOPIC."""

    job: str
    topic: str | None
    reasons: frozenset[str]
    since_ms: int
    limit: int
    place: str
    is_raw: bool
    is_dry: bool


def parse(argv: Sequence[str], now_ms: int) -> Options:
    """Parse the command line. Exits with code 2 and a message if it is invalid."""
    given = _parser(now_ms).parse_args(argv)
    return Options(
        job=given.job,
        topic=given.topic,
        reasons=frozenset(given.reason),
        since_ms=given.since,
        limit=given.limit,
        place=given.place,
        is_raw=given.raw,
        is_dry=given.dry_run,
    )


def _parser(now_ms: int) -> ArgumentParser:
    parser = ArgumentParser(
        prog="clickpulse dead-letters",
        description="List refused events (TOPIC-dlq), and replay those that are accepted by now.",
        epilog=f"{settings_help(ServiceSettings)}\n\n"
        "Exit codes: 0 done, 1 failed or stopped, 2 wrong option or setting, 3 another replay is running.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.set_defaults(reason=(), since=0, limit=_LIMIT, place="", raw=False, dry_run=False)
    jobs = parser.add_subparsers(dest="job", metavar="JOB", required=True)
    chosen = _choosing(now_ms)

    listing = jobs.add_parser("list", parents=[chosen], help="the latest, one per line, oldest first")
    listing.add_argument(
        "--limit", type=_positive, default=_LIMIT, metavar="N", help=f"how many to list (default {_LIMIT})"
    )

    jobs.add_parser("count", parents=[chosen], help="how many, by reason")

    showing = jobs.add_parser("show", help="everything known about one, with its bytes")
    showing.add_argument("place", metavar="PLACE", help="PARTITION:OFFSET, as `list` prints it")
    _add_topic(showing)
    showing.add_argument("--raw", action="store_true", help="write only the bytes, unchanged")

    replaying = jobs.add_parser(
        "replay",
        parents=[chosen],
        help="send them again",
        description="Send dead letters to their topic again, with their own keys and bytes, if this version accepts "
        "them and no earlier replay sent them. The others stay as they are.",
    )
    replaying.add_argument("--dry-run", action="store_true", help="only print what would be sent")
    return parser


def _choosing(now_ms: int) -> ArgumentParser:
    def since(text: str) -> int:
        instant = parse_since(text, now_ms)
        if instant is None:
            raise ArgumentTypeError(f"{text!r} is not an instant (2026-11-22T10:30Z) or an age (90m, 24h, 7d)")
        return instant

    parser = ArgumentParser(add_help=False)
    parser.add_argument(
        "--reason",
        action="append",
        default=[],
        choices=[reason.value for reason in Reason],
        metavar="REASON",
        help="only those with this reason; repeatable: " + ", ".join(Reason),
    )
    parser.add_argument(
        "--since",
        type=since,
        default=0,
        metavar="WHEN",
        help="only those refused since then: an ISO 8601 instant, or an age such as 24h or 7d",
    )
    _add_topic(parser)
    return parser


def _add_topic(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--topic", metavar="TOPIC", help="the topic that refused them: RAW_TOPIC (default) or ENRICHED_TOPIC"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("expected 1 or more")
    return number
