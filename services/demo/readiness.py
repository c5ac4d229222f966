"""Readiness checks: the newest rollup in Redis, the keys without data, and the dashboard's health page."""

import http.client
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from shared.rollups.contract import AUDIENCE_ROWS, META_KEY, SNAPSHOT_ROWS, audience_key
from shared.rollups.model import AUDIENCES, MalformedRollup, Sessions
from shared.rollups.reading import read
from shared.rollups.segment_keys import SEGMENTS_KEY
from shared.runtime.redis_client import REDIS_UNAVAILABLE

_TIMEOUT_SECONDS: Final = 1.0
_OPTIONAL: Final = ("goals", "revenue", "other_currencies", "campaigns", "rising")
"""How the names of figures begin that a site may have nothing of: bots never buy, and recordings hold no campaigns."""
_UNREADABLE: Final[tuple[type[Exception], ...]] = (
    *REDIS_UNAVAILABLE,
    redis.exceptions.ResponseError,
    MalformedRollup,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Published:
    """The newest rollup: its instant, its event count and its newest event; all 0 before the first rollup."""

    as_of_ms: int = 0
    counted: int = 0
    newest_event_ms: int = 0


def redis_answers(client: redis.Redis) -> bool:
    """Whether the server answers and has loaded its data."""
    try:
        return bool(client.ping())
    except REDIS_UNAVAILABLE:
        return False


def published(client: redis.Redis, prefix: str) -> Published:
    """The newest rollup; zeros when Redis is unreachable or unreadable."""
    try:
        fields = client.hmget(prefix + META_KEY, "as_of_ms", "counted", "newest_event_ms")
        return Published(*(int(field or 0) for field in fields))
    except _UNREADABLE:
        return Published()


def keys_without_data(client: redis.Redis, prefix: str) -> frozenset[str]:
    """The keys that the dashboard reads and that hold nothing, or nothing but zeros; all of them before a rollup.

    Without those that a site may have nothing of.
    """
    try:
        snapshots = {audience: read(client, audience, prefix) for audience in AUDIENCES}
        segments = client.hlen(prefix + SEGMENTS_KEY)
    except _UNREADABLE:
        snapshots, segments = dict.fromkeys(AUDIENCES), 0
    site = next(iter(snapshots.values()))
    found = {SEGMENTS_KEY: segments, **{row.key: getattr(site, name, None) for name, row in SNAPSHOT_ROWS.items()}}
    for audience, snapshot in snapshots.items():
        for name in AUDIENCE_ROWS:
            if not name.startswith(_OPTIONAL):
                found[audience_key(audience, name)] = getattr(snapshot.windows, name) if snapshot else None
    return frozenset(prefix + key for key, value in found.items() if not _has_data(value))


def _has_data(value: Any) -> bool:
    match value:
        case Sessions():
            return value.started_1h > 0
        case Mapping():
            return any(value.values())
    return bool(value)


@dataclass(slots=True)
class Filling:
    """Waits for data in every key, for as long as it keeps coming: some traffic never fills them all."""

    patience_seconds: float
    longest_seconds: float
    _began_s: float | None = field(default=None, init=False)
    _fewest: int = field(default=1_000_000, init=False)
    _newest_event_ms: int = field(default=0, init=False)
    _since_s: float = field(default=0.0, init=False)

    def is_over(self, empty: Collection[str], newest_event_ms: int, now_s: float) -> bool:
        """Whether no key is `empty`, or for `patience_seconds` neither they nor the newest event have changed.

        `now_s` is epoch seconds. The newest event counts only while it is from the past, as those of a history are.
        """
        self._began_s = now_s if self._began_s is None else self._began_s
        is_past = newest_event_ms < 1000 * (now_s - self.patience_seconds)
        if len(empty) < self._fewest or (is_past and newest_event_ms > self._newest_event_ms):
            self._fewest, self._newest_event_ms, self._since_s = len(empty), newest_event_ms, now_s
        return (
            not empty or now_s - self._since_s > self.patience_seconds or now_s - self._began_s > self.longest_seconds
        )


def dashboard_answers(port: int) -> bool:
    """Whether the dashboard is ready to serve pages."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
