"""Readiness checks: the newest rollup in Redis, and the dashboard's health page."""

import http.client
from dataclasses import dataclass
from typing import Final

import redis

from shared.rollups.contract import META_KEY
from shared.runtime.redis_client import REDIS_UNAVAILABLE

_TIMEOUT_SECONDS: Final = 1.0
_UNREADABLE: Final[tuple[type[Exception], ...]] = (*REDIS_UNAVAILABLE, redis.exceptions.ResponseError, ValueError)


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
