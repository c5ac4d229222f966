"""`clickpulse generate`: sends the simulated shop's past clicks at once, then each click at its time."""

import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from services.traffic import options
from services.traffic.ages import Uncounted, uncounted
from services.traffic.clock import now_ms, wait_until
from services.traffic.pacing import LIVE
from services.traffic.sending import Outbox
from services.traffic.settings import TrafficSettings
from services.traffic.simulation import simulate
from services.traffic.world import World
from shared.events.raw import encode_raw
from shared.events.time_units import MINUTE_MS
from shared.runtime.dependency import Stopped
from shared.runtime.logs import get_logger
from shared.runtime.settings_help import settings_help

logger = get_logger(__name__)

_VISITORS_PER_RATE: Final = 10_000
_FEWEST_VISITORS, _MOST_VISITORS = 1_000, 200_000
_REPORT_EVERY_MS: Final = MINUTE_MS

_DESCRIPTION = """\
Send realistic clicks of a simulated shop to the event log, until Ctrl-C, --count or --duration.

People from many countries on desktops, phones and tablets, and some bots, visit and return depending on the hour of
the day (UTC). They come through search engines, advertisements, mails, social networks and assistants, some by a
campaign that starts and ends, and view a few pages and products. Two or three of a hundred sessions end with an order,
of three carts two are abandoned, and some orders are refunded. The clicks depend only on the options and the time: with
the same options, a restarted command sends the same clicks with the same ids for the same minutes. Give a second
generator that runs at the same time a different --seed."""

_EPILOG = """\
examples:
  clickpulse generate
  clickpulse generate --rate 50 --history 8h
  clickpulse generate --rate 50 --lookups lookups/

exit codes: 0 done, or stopped by Ctrl-C; 2 wrong option."""


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What to generate. `lookups`: only write the lookups to this folder."""

    world: World
    history_ms: int
    count: int | None
    duration_ms: int | None
    lookups: Path | None


def parse(argv: Sequence[str]) -> GenerateOptions:
    """Read the command line. Exits with code 2 and a message when it is wrong."""
    parser = ArgumentParser(
        prog="clickpulse generate",
        description=_DESCRIPTION,
        epilog=f"{_EPILOG}\n\n{settings_help(TrafficSettings)}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--rate", type=options.rate, default=5.0, metavar="N", help="events per second, mean over a day (default 5)"
    )
    parser.add_argument(
        "--seed", type=options.whole, default=1, metavar="N", help="seed of the shop's visitors and clicks (default 1)"
    )
    parser.add_argument(
        "--visitors",
        type=options.count,
        metavar="N",
        help=f"total number of people (default: {_VISITORS_PER_RATE:,} × rate, between {_FEWEST_VISITORS:,} and"
        f" {_MOST_VISITORS:,})",
    )
    parser.add_argument(
        "--history",
        type=options.duration_ms,
        default=0,
        metavar="TIME",
        help="first send the clicks of the past TIME (such as 90s, 15m, 8h) as fast as possible (default 0)",
    )
    parser.add_argument("--count", type=options.count, metavar="N", help="stop after N events")
    parser.add_argument(
        "--duration",
        type=options.duration_ms,
        metavar="TIME",
        help="stop after TIME; with --history, 0 sends only the past",
    )
    parser.add_argument(
        "--lookups",
        type=Path,
        metavar="DIR",
        help="only write products.json and visitors.ndjson for load-lookups, matching --seed, --rate and --visitors",
    )
    given = parser.parse_args(argv)
    visitors = given.visitors or min(max(int(given.rate * _VISITORS_PER_RATE), _FEWEST_VISITORS), _MOST_VISITORS)
    return GenerateOptions(
        World(given.seed, given.rate, visitors), given.history, given.count, given.duration, given.lookups
    )


def generate(chosen: GenerateOptions, outbox: Outbox, stop: Event) -> str:
    """Send clicks until `stop` or the chosen end; return the summary."""
    started = time.monotonic()
    late = 0
    try:
        outbox.connect()
        late = _send(chosen, outbox, stop)
        outbox.flush()
    except Stopped:
        logger.info("stopped", unsent=outbox.unsent)
    seconds = time.monotonic() - started
    unsent = f", {outbox.unsent:,} not sent" if outbox.unsent else ""
    lost = f"; {late:,} were late: older than every window, so in no figure" if late else ""
    return f"{outbox.sent:,} events sent in {seconds:,.1f} s, {outbox.sent / max(seconds, 0.001):,.0f}/s{unsent}{lost}"


def _send(chosen: GenerateOptions, outbox: Outbox, stop: Event) -> int:
    """Put the clicks into the outbox. Returns how many were late."""
    late = 0
    start_ms = now_ms()
    end_ms = None if chosen.duration_ms is None else start_ms + chosen.duration_ms
    in_history = chosen.history_ms > 0
    report_ms = start_ms + _REPORT_EVERY_MS
    for event in simulate(chosen.world, start_ms - chosen.history_ms):
        if stop.is_set():
            return late
        due_ms = LIVE.due_ms(event.timestamp)
        is_over = end_ms is not None and event.timestamp >= end_ms
        if due_ms > now_ms():
            outbox.flush()
            if in_history:
                in_history = False
                logger.info("history sent", events=outbox.sent, seconds=round((now_ms() - start_ms) / 1000, 1))
            wait_until(end_ms if is_over and end_ms is not None else due_ms, stop)
        if is_over:
            return late
        if now_ms() >= report_ms:
            report_ms += _REPORT_EVERY_MS
            logger.info("generating", sent=outbox.sent)
        outbox.put(event.userId, encode_raw(event))
        late += in_history and uncounted(event.timestamp, now_ms()) is Uncounted.LATE
        if outbox.taken == chosen.count:
            return late
    return late
