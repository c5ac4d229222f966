"""How far the numbers can be trusted, told from the rollup's own account of itself and the time. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

STALE_AFTER_SECONDS: Final = 5.0
"""A rollup is published each second; older than this, the publisher is down, cut off or too slow."""

QUIET_AFTER_SECONDS: Final = 60.0
"""A site that had no event for this long is quiet: worth saying, as its windows empty while everything works."""

BEHIND_AFTER_SECONDS: Final = 15.0
"""With events waiting in the log and the newest counted one older than this, the consumer is catching up."""


class Standing(StrEnum):
    """What the numbers are worth."""

    LIVE = "live"
    BEHIND = "behind"  # fresh rollups of old events: the consumer works through a backlog
    QUIET = "quiet"  # fresh rollups, nothing waiting, no recent event
    WAITING = "waiting"  # fresh rollups, and no event was ever counted
    STALE = "stale"  # rollups stopped: every number is of the past


@dataclass(frozen=True, slots=True)
class Freshness:
    """The standing, since when it holds (epoch ms; for LIVE the publish instant), and the two ages in seconds."""

    standing: Standing
    since_ms: int
    rollup_age_seconds: float
    event_age_seconds: float | None  # None while no event was counted


def judge(*, as_of_ms: int, newest_event_ms: int, lag: int, now_ms: int) -> Freshness:
    """Judge a rollup published for `as_of_ms` whose newest counted event is `newest_event_ms` (0: none yet)."""
    # Clocks of two machines differ a little, and events may be a minute ahead: nothing is younger than now.
    rollup_age = max(0.0, (now_ms - as_of_ms) / 1000)
    event_age = max(0.0, (now_ms - newest_event_ms) / 1000) if newest_event_ms else None
    standing, since_ms = Standing.LIVE, as_of_ms
    if rollup_age > STALE_AFTER_SECONDS:
        standing = Standing.STALE
    elif lag > 0 and (event_age is None or event_age > BEHIND_AFTER_SECONDS):
        standing = Standing.BEHIND
    elif event_age is None:
        standing = Standing.WAITING
    elif event_age > QUIET_AFTER_SECONDS:
        standing, since_ms = Standing.QUIET, newest_event_ms
    return Freshness(standing, since_ms, rollup_age, event_age)
