"""How far the numbers can be trusted, judged from the rollup's metadata and the time. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.events.time_units import HOUR_SECONDS
from shared.rollups.model import Meta

STALE_AFTER_SECONDS: Final = 5.0
"""Rollups are published every second; an older one means the publisher is down, cut off or too slow."""

QUIET_AFTER_SECONDS: Final = 60.0
"""Without events for this long a site is quiet, and its windows empty although everything works."""

BEHIND_AFTER_SECONDS: Final = 15.0
"""The consumer is catching up when events are waiting and the newest counted one is older than this."""


class Standing(StrEnum):
    """How far to trust the numbers."""

    LIVE = "live"
    CUT_OFF = "cut_off"  # fresh rollups that lack the latest clicks: the log cannot be read
    PARTIAL = "partial"  # fresh rollups that lack a partition: every number is too low
    BEHIND = "behind"  # fresh rollups of old events: the consumer is working through a backlog
    QUIET = "quiet"  # fresh rollups, nothing waiting, no recent event
    WAITING = "waiting"  # fresh rollups, no event counted yet
    STALE = "stale"  # rollups have stopped: every number is from the past


@dataclass(frozen=True, slots=True)
class Freshness:
    """The standing, its start (epoch ms; for LIVE the publish instant), and two ages in seconds."""

    standing: Standing
    since_ms: int
    rollup_age_seconds: float
    event_age_seconds: float | None  # None while no event was counted
    partitions_missing: int = 0  # 0 with PARTIAL: unknown how many


def judge(meta: Meta, *, partitions_before: int, now_ms: int) -> Freshness:
    """Judge a rollup by its metadata; `partitions_before` is the number in the last complete one (0: none seen)."""
    as_of_ms, newest_event_ms, lag = meta.as_of_ms, meta.newest_event_ms, meta.lag
    # Clocks differ a little, and events may be a minute ahead: no age is negative.
    rollup_age = max(0.0, (now_ms - as_of_ms) / 1000)
    event_age = max(0.0, (now_ms - newest_event_ms) / 1000) if newest_event_ms else None
    is_backlog = bool(lag) and _is_behind(meta, event_age)
    # Coverage is 0 while a partition is missing and at the start of a rebuild, which has a backlog. Fewer partitions
    # alone mean nothing: the topic may have been recreated with fewer.
    has_no_coverage = meta.coverage_8h_s == 0
    missing = max(0, partitions_before - meta.partitions) if has_no_coverage else 0
    standing, since_ms = Standing.LIVE, as_of_ms
    if rollup_age > STALE_AFTER_SECONDS:
        standing = Standing.STALE
    elif missing or (has_no_coverage and not is_backlog):
        standing = Standing.PARTIAL
    elif is_backlog:
        standing = Standing.BEHIND
    elif lag is None:
        standing = Standing.CUT_OFF
    elif event_age is None:
        standing = Standing.WAITING
    elif event_age > QUIET_AFTER_SECONDS:
        standing, since_ms = Standing.QUIET, newest_event_ms
    return Freshness(standing, since_ms, rollup_age, event_age, missing)


def _is_behind(meta: Meta, event_age: float | None) -> bool:
    """Whether events that wait are old. Those of a site may be rare in a busy log, so what is loaded tells it."""
    if meta.site:
        return meta.coverage_1h_s < HOUR_SECONDS - BEHIND_AFTER_SECONDS
    return event_age is None or event_age > BEHIND_AFTER_SECONDS
