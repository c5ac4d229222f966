"""Waits for rollups that can be compared: of one instant, whole, and with all erasures. The Redis edge."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Final

import redis

from services.aggregate.proof.differences import Unreadable
from services.aggregate.proof.published import META, OFFSETS, Published, read_published
from services.aggregate.settings import AggregateSettings
from shared.events.time_units import HALF_HOUR_SECONDS, HOUR_SECONDS
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import Erasures
from shared.rollups.model import HALF_HOURS_SHOWN, WINDOW_SECONDS, Meta
from shared.runtime.dependency import Stopped

_RETRY_SECONDS: Final = 0.5
_MOST_BEHIND_S: Final = 60
"""Of the events to come, which the offsets tell apart from those that are counted."""


class NotComparable(Exception):  # noqa: N818 - a state of the site
    """Why the rollups cannot be compared."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """Rollups of one instant, and the erasures that they honour."""

    published: Published
    meta: Meta
    erasures: Erasures

    @property
    def offsets(self) -> Mapping[int, int]:
        """Of each partition that events were read of, the offset before which they are counted."""
        return self.published[OFFSETS] or {}

    @property
    def oldest_ms(self) -> int:
        """The start of the oldest half hour that is shown."""
        return (self.meta.as_of_ms // 1000 // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS * 1000


def wait_for_rollups(client: redis.Redis, settings: AggregateSettings, wait_seconds: float, stop: Event) -> Comparable:
    """Read the rollups until they can be compared. Raises NotComparable, Stopped and redis-py's exceptions."""
    give_up_at = time.monotonic() + wait_seconds
    while True:
        try:
            return read_rollups(client, settings)
        except NotComparable:
            if time.monotonic() >= give_up_at:
                raise
        if stop.wait(_RETRY_SECONDS):
            raise Stopped


def read_rollups(client: redis.Redis, settings: AggregateSettings) -> Comparable:
    """Read the rollups. Raises NotComparable and redis-py's exceptions."""
    erasure_list = ErasureList(client, settings.shared_prefix)
    now_ms = time.time_ns() // 1_000_000
    before = Erasures(erasure_list.read(now_ms))
    honoured = erasure_list.honoured(settings.enriched_topic, settings.site or "")
    published = read_published(client, settings.redis_prefix)
    meta = _meta_of(published, settings)
    after = Erasures(erasure_list.read(now_ms))
    is_honoured = len(honoured) >= meta.partitions and min(honoured.values(), default=-1) >= before.latest_ms
    if before.by_token != after.by_token or (before and not is_honoured):
        raise NotComparable("aggregate has not erased all forgotten visitors yet")
    return Comparable(published, meta, before)


def _meta_of(published: Published, settings: AggregateSettings) -> Meta:
    meta, offsets = published[META], published[OFFSETS]
    if meta is None:
        raise NotComparable(
            f"there are no rollups in Redis under REDIS_PREFIX {settings.redis_prefix!r}; is aggregate running?"
        )
    for name, own in (("rollup:meta", meta), ("rollup:offsets", offsets)):
        if isinstance(own, Unreadable):
            raise NotComparable(f"{settings.redis_prefix}{name} cannot be read: {own.reason}")
    assert isinstance(meta, Meta)
    if meta.site != (settings.site or ""):
        raise NotComparable(
            f"the rollups are those of {meta.site or 'all sites'}, and SITE is {settings.site or 'not set'}"
        )
    missing_1h = HOUR_SECONDS - meta.coverage_1h_s
    missing_8h = WINDOW_SECONDS["8h"] - meta.coverage_8h_s
    # What is missing at the end, both windows lack; a gap before is in one of them, or takes hours of the longer.
    if missing_1h != missing_8h or missing_1h > _MOST_BEHIND_S:
        raise NotComparable(
            f"aggregate is behind: it has loaded {meta.coverage_1h_s:,} s of the last hour (coverage_1h_s in "
            f"rollup:meta) and {meta.coverage_8h_s:,} s of eight hours (coverage_8h_s)"
        )
    if offsets is None and meta.read:
        raise NotComparable("aggregate does not publish rollup:offsets; update it")
    return meta
