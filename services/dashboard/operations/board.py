"""What the Operations page shows of an observation: the strip, the key figures and a card for each panel. Pure."""

from dataclasses import replace
from typing import Final

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context, Panel
from services.dashboard.kit.notice import notice
from services.dashboard.kit.status_strip import status_strip, unreachable_strip
from services.dashboard.operations import key_figures
from services.dashboard.operations.panels import dead_letters, event_counts, partitions, replicas, transitions
from services.dashboard.operations.snapshot import Snapshot, snapshot_of
from services.dashboard.operations.verdict_strip import verdict_strip
from services.dashboard.sources.observations import Reported, StatusObservation, Unreachable

PANELS: Final[tuple[Panel[Snapshot], ...]] = (replicas, event_counts, partitions, dead_letters, transitions)
"""From top to bottom; a row of the page has twelve columns."""


def draw(observation: StatusObservation, address: str, context: Context) -> Board:
    """Draw what was observed of the Redis at `address`."""
    now_ms, clock = context.now_ms, context.clock
    match observation:
        case Unreachable(since_ms, reason, last, is_refused):
            of_ms = last.at_ms if last else None
            strip = unreachable_strip(address, since_ms, reason, now_ms, of_ms, clock, is_refused=is_refused)
        case Reported():
            if not _has_services(observation):
                return Board(_WAITING_STRIP, notice=_EMPTY)
            snapshot = snapshot_of(observation, now_ms)
            return _with_cards(verdict_strip(observation, snapshot, now_ms, clock), snapshot, context)
    if last is None or not _has_services(last):
        return Board(strip, notice=_MISSING)
    # As of the last answer, so that no replica counts as gone because of the outage.
    return _with_cards(strip, snapshot_of(last, last.at_ms), replace(context, now_ms=last.at_ms))


def _with_cards(strip: str, snapshot: Snapshot, context: Context) -> Board:
    cards = tuple(panel.draw(snapshot, context) for panel in PANELS)
    return Board(strip, key_figures.draw(snapshot.replicas, context.now_ms), cards)


def _has_services(reported: Reported) -> bool:
    """Whether anything but dashboards, which also report, is known."""
    services = {watched.status.service for watched in reported.replicas}
    services |= {transition.service for transition in reported.transitions}
    return bool(reported.unreadable or services - {"dashboard"})


_WAITING_STRIP: Final = status_strip("waiting", "Waiting", "Redis answers, but no service has reported yet.")
_EMPTY: Final = notice(
    "No service reports",
    "Each service reports to Redis once a second from its start on, and appears here by itself.",
    (
        ("See it work", "<code>make demo</code> starts everything on this machine."),
        (
            "Start the services",
            "<code>clickpulse enrich</code>, <code>clickpulse aggregate</code> and <code>clickpulse detect</code>.",
        ),
        ("Already running?", "Check that they have this REDIS_URL and REDIS_PREFIX."),
    ),
)
_MISSING: Final = notice(
    "Nothing to show",
    "No report has arrived since this dashboard started. The strip above says why; the page recovers by itself.",
)
