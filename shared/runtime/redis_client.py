"""Connections to Redis or Valkey: the same timeouts and passing errors for every service."""

import re
from threading import Event
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from shared.runtime.configuration import ConfigurationError
from shared.runtime.dependency import Dependency, Stopped
from shared.runtime.redis_errors import REDIS_PASSING, refused_greeting, wrong_server
from shared.runtime.redis_replies import MOST_REPLY_BYTES, ReplyTooLarge, parser_of
from shared.runtime.redis_url import SENTINEL_SCHEMES, redis_address, sentinel_of

__all__ = ["REDIS_UNAVAILABLE", "check_server", "connect", "redis_address", "wait_out"]

REDIS_UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    *REDIS_PASSING,
    redis.exceptions.NoPermissionError,
    ReplyTooLarge,
)
"""Errors of redis-py that a service waits out: besides those that pass by themselves, what an operator can end without
a restart, such as a missing right."""

_TIMEOUT_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 0.5


def connect(
    redis_url: str, timeout_seconds: float = _TIMEOUT_SECONDS, most_reply_bytes: int | None = MOST_REPLY_BYTES
) -> redis.Redis:
    """A client whose replies are bytes. It connects at its first command and does not retry.

    It raises ReplyTooLarge for a reply above `most_reply_bytes`; None: any reply is read. WrongServer for a server
    that Clickpulse does not work with.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "health_check_interval": 0,
        # Neither names its library nor asks for notices of maintenance: both need CLIENT, whose other subcommands
        # disconnect anyone, and Redis 7.0 cannot grant one subcommand that it does not know.
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "retry": Retry(NoBackoff(), 0),
        "parser_class": parser_of(most_reply_bytes),
    }
    scheme = redis_url.partition("://")[0]
    pool: Any = (
        _sentinel_pool(redis_url, scheme, options)
        if scheme in SENTINEL_SCHEMES
        else ConnectionPool.from_url(redis_url, connection_class=_CONNECTIONS[scheme], **options)
    )
    client = _Client(connection_pool=pool)
    client.auto_close_connection_pool = True  # nobody else has it
    return client


def _sentinel_pool(redis_url: str, scheme: str, options: dict[str, Any]) -> SentinelConnectionPool:
    place = sentinel_of(redis_url)
    is_tls = scheme.startswith("rediss")
    login = {name: text for name, text in (("username", place.username), ("password", place.password)) if text}
    chosen: dict[str, Any] = {**options, **parse_url(place.data_url)}
    for name in ("host", "port", "connection_class"):
        chosen.pop(name, None)
    tls = {name: option for name, option in chosen.items() if name.startswith("ssl_")}
    if is_tls:
        tls["ssl"] = True
    # A Sentinel is asked through a client of redis-py, which reads no large replies and needs no errors of ours.
    asking = {name: option for name, option in options.items() if name != "parser_class"}
    sentinel = _Sentinel(place.sentinels, sentinel_kwargs={**asking, **login, **tls})  # type: ignore[no-untyped-call]
    connection = _SentinelTlsConnection if is_tls else _SentinelConnection
    return SentinelConnectionPool(place.master, sentinel, connection_class=connection, **chosen)


def check_server(redis_url: str) -> None:
    """Raise WrongServer if a server that Clickpulse does not work with answers now. One that does not answer passes."""
    with connect(redis_url, _CHECK_SECONDS) as client:
        try:
            client.ping()
        except ConfigurationError:
            raise
        except (redis.RedisError, OSError):
            return  # whoever needs it waits for it


def wait_out(client: redis.Redis, dependency: Dependency, stop: Event) -> None:
    """Make every command and pipeline of a client wait while Redis is unavailable, for commands that no loop repeats.

    They raise Stopped when `stop` is set meanwhile. A transaction that watches a key raises WatchError instead.
    """
    client.set_retry(_Waiting(dependency, stop))


class _Waiting(Retry):
    def __init__(self, dependency: Dependency, stop: Event) -> None:
        super().__init__(NoBackoff(), 0)
        self._dependency = dependency
        self._stop = stop

    def __deepcopy__(self, _: object) -> "_Waiting":
        """Each connection of redis-py takes a copy."""
        return self

    def call_with_retry(self, do: Any, fail: Any, _: Any = None, with_failure_count: bool = False) -> Any:
        """Called by redis-py with what to do, and with what to do after a failure."""
        failures = 0

        def call() -> Any:
            nonlocal failures
            try:
                return do()
            except REDIS_PASSING as error:
                failures += 1
                try:
                    fail(*(error, failures) if with_failure_count else (error,))
                except redis.WatchError:
                    self._dependency.failed(error, "waiting")
                    if self._stop.wait(_AGAIN_SECONDS):
                        raise Stopped from error
                    raise
                raise

        return self._dependency.wait_for(call, REDIS_PASSING, self._stop)


class _Sentinel(Sentinel):
    def discover_master(self, service_name: str) -> Any:
        """As of redis-py; its error says what each Sentinel answered, not how its connection is set."""
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError as error:
            reasons = "; ".join(_SENTINEL_REASON.findall(str(error))) or "they know none of this name, or it is down"
            raise MasterNotFoundError(f"the Sentinels name no master {service_name!r}: {reasons}") from None


_SENTINEL_REASON: Final = re.compile(r"> - (.*?)(?=, <|$)")


class _Client(redis.Redis):
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """As of any client; its errors name a command and its key, not the events or secrets that it carries."""
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """As of any client. It leaves a master that became a replica, so that a name can lead to the new master."""
        try:
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        except redis.ReadOnlyError:
            self.connection_pool.disconnect(inuse_connections=False)
            raise


class _Pipeline(Pipeline):
    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """As of any pipeline, and of `_Client.execute_command`."""
        replies: list[Any] = []
        try:
            replies = super().execute(raise_on_error)
        except redis.ReadOnlyError:
            self.connection_pool.disconnect(inuse_connections=False)
            raise
        if not raise_on_error and any(isinstance(reply, redis.ReadOnlyError) for reply in replies):
            self.connection_pool.disconnect(inuse_connections=False)
        return replies

    def annotate_exception(self, exception: Any, number: int, command: Any) -> None:
        """Called by redis-py with a command that failed."""
        super().annotate_exception(exception, number, command[:2])  # type: ignore[no-untyped-call]  # redis-py has no types


class _Checked(AbstractConnection):
    """A connection that refuses the wrong server, and names a mismatch of TLS and plain text."""

    def connect_check_health(self, *arguments: Any, **options: Any) -> None:
        """Called by redis-py to connect."""
        try:
            super().connect_check_health(*arguments, **options)
        except redis.AuthenticationError:
            raise
        except (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse) as error:
            if hint := self._mismatch(f"{error} {error.__context__ or ''}"):
                raise redis.ConnectionError(f"{error}; {hint}") from error
            raise

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Called by redis-py within it, on the open socket."""
        host, port = getattr(self, "host", ""), getattr(self, "port", 0)
        address = f"{host}:{port}" if host else str(getattr(self, "path", ""))
        try:
            super().on_connect_check_health(check_health)
        except redis.ResponseError as error:
            raise refused_greeting(error, address) from error
        refused = wrong_server(self.handshake_metadata, address)
        if refused is not None:
            raise refused

    def _mismatch(self, said: str) -> str | None:
        if isinstance(self, SSLConnection):
            if any(sign in said for sign in _PLAIN_SIGNS):
                return "the server does not speak TLS here; expected redis:// in REDIS_URL, or the port with TLS"
            if "handshake operation timed out" in said:
                return "unless the server hangs, it does not speak TLS here; expected redis:// in REDIS_URL"
        elif any(sign in said for sign in _TLS_SIGNS):
            return "the server closed the connection or speaks another protocol; if it expects TLS, write rediss://"
        return None


_PLAIN_SIGNS: Final = ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER_FAILURE", "record layer failure")
_TLS_SIGNS: Final = ("Connection closed by server", "reset by peer", "Protocol", "Broken pipe", "Bad response")


class _PlainConnection(_Checked, Connection):
    pass


class _TlsConnection(_Checked, SSLConnection):
    pass


class _SocketConnection(_Checked, UnixDomainSocketConnection):
    pass


class _SentinelConnection(_Checked, SentinelManagedConnection):
    pass


class _SentinelTlsConnection(_Checked, SentinelManagedSSLConnection):
    pass


_CONNECTIONS: Final = {"redis": _PlainConnection, "rediss": _TlsConnection, "unix": _SocketConnection}
