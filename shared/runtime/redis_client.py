"""Connections to Redis or Valkey: the same timeouts and passing errors for every service."""

from typing import Any, Final
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from shared.runtime.redis_replies import MOST_REPLY_BYTES, ReplyTooLarge, limited_parser

REDIS_UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    ReplyTooLarge,
)
"""Passing errors of redis-py: the caller waits and retries."""

_TIMEOUT_SECONDS: Final = 5.0


def connect(
    redis_url: str, timeout_seconds: float = _TIMEOUT_SECONDS, most_reply_bytes: int | None = MOST_REPLY_BYTES
) -> redis.Redis:
    """A client whose replies are bytes. It connects at its first command and does not retry.

    It raises ReplyTooLarge for a reply above `most_reply_bytes`; None: any reply is read.
    """
    limit = {} if most_reply_bytes is None else {"parser_class": limited_parser(most_reply_bytes)}
    client: redis.Redis = _Client.from_url(
        redis_url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        health_check_interval=0,
        # Neither names its library nor asks for notices of maintenance: both need CLIENT, whose other subcommands
        # disconnect anyone, and Redis 7.0 cannot grant one subcommand that it does not know.
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        retry=Retry(NoBackoff(), 0),
        **limit,
    )
    return client


class _Client(redis.Redis):
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """As of any client; its errors name a command and its key, not the events or secrets that it carries."""
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _Pipeline(Pipeline):
    def annotate_exception(self, exception: Any, number: int, command: Any) -> None:
        """Called by redis-py with a command that failed."""
        super().annotate_exception(exception, number, command[:2])  # type: ignore[no-untyped-call]  # redis-py has no types


def redis_address(redis_url: str) -> str:
    """The host and port of the URL, or its socket, for messages. Contains no user and no password."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return parts.path
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or 6379}"
