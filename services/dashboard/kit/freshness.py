"""How far the numbers can be trusted, told from the rollup's own account of itself and the time. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.rollups.model import Meta

STALE_AFTER_SECONDS: Final = 5.0
"""A rollup is published each second; older than this, the publisher is down, cut off or too slow."""

QUIET_AFTER_SECONDS: Final = 60.0
"""A site that had no event for this long is quiet: worth saying, as its windows empty while everything works."""

BEHIND_AFTER_SECONDS: Final = 15.0
"""With events waiting in the log and the newest counted one older than this, the consumer is catching up."""


class Standing(StrEnum):
    """What the numbers are worth."""

    LIVE = "live"
    PARTIAL = "partial"  # fresh rollups without a partition: every number is too low
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
    partitions_missing: int = 0  # how many, where that is known; with PARTIAL and 0, it is not


def judge(meta: Meta, *, partitions_before: int, now_ms: int) -> Freshness:
    """Judge a rollup by its own account; `partitions_before` were in the last one that was whole (0: none was seen)."""
    as_of_ms, newest_event_ms, lag = meta.as_of_ms, meta.newest_event_ms, meta.lag
    # Clocks of two machines differ a little, and events may be a minute ahead: nothing is younger than now.
    rollup_age = max(0.0, (now_ms - as_of_ms) / 1000)
    event_age = max(0.0, (now_ms - newest_event_ms) / 1000) if newest_event_ms else None
    is_backlog = lag > 0 and (event_age is None or event_age > BEHIND_AFTER_SECONDS)
    # Coverage is 0 while a partition is missing, and for the first moment of a rebuild, which is told by its backlog.
    # Fewer partitions alone mean nothing: a topic may have been made anew with fewer.
    has_no_coverage = meta.coverage_8h_s == 0
    missing = max(0, partitions_before - meta.partitions) if has_no_coverage else 0
    standing, since_ms = Standing.LIVE, as_of_ms
    if rollup_age > STALE_AFTER_SECONDS:
        standing = Standing.STALE
    elif missing or (has_no_coverage and not is_backlog):
        standing = Standing.PARTIAL
    elif is_backlog:
        standing = Standing.BEHIND
    elif event_age is None:
        standing = Standing.WAITING
    elif event_age > QUIET_AFTER_SECONDS:
        standing, since_ms = Standing.QUIET, newest_event_ms
    return Freshness(standing, since_ms, rollup_age, event_age, missing)
