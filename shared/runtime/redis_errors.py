"""What Redis's errors mean: which pass by themselves, which only an operator ends, and which server is the wrong one.

Every connection of `shared.runtime.redis_client` reads its errors through `error_of`, so every service and command
gets the same answer. An error's meaning is its code, the first word of the reply.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import redis

from shared.runtime.configuration import ConfigurationError

_LASTING_CODES: Final = frozenset(
    ["ERR", "WRONGTYPE", "NOSCRIPT", "NOGROUP", "BUSYGROUP", "BUSYKEY", "CROSSSLOT", "EXECABORT", "NOPROTO", "NOTBUSY"]
)
"""About the command or the key. Any other code is about the server's state, which its operator or a failover ends."""
_OLDEST: Final = (6, 2)
_ABORTED: Final = "Transaction discarded because of: "  # followed by the code of the reason


class PassingRefusal(redis.ResponseError):
    """Redis refuses a command because of the state that it is in, such as MISCONF, NOREPLICAS or BUSY."""


class AccessDenied(redis.exceptions.NoPermissionError):
    """The user that this process logs in as may not run the command, or not on this key or channel."""


class WrongServer(ConfigurationError, redis.RedisError):  # noqa: N818 - a property of the setting
    """REDIS_URL names a server that Clickpulse does not work with. No retry helps."""


REDIS_PASSING: Final[tuple[type[Exception], ...]] = (
    redis.exceptions.ConnectionError,  # LOADING and a rejected login are among them
    redis.exceptions.TimeoutError,
    redis.exceptions.InvalidResponse,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ClusterDownError,  # MASTERDOWN is one of them
    redis.exceptions.TryAgainError,
    PassingRefusal,
)
"""Errors after which a retry may succeed without a change of rights or settings."""


REFUSALS: Final = (redis.exceptions.ResponseError, redis.exceptions.AuthenticationError)
"""Redis answered, with an error: it can be reached."""


def error_of(reply: str, known: Exception) -> Exception:
    """The exception for an error reply; `known` is what redis-py makes of it."""
    code, _, said = reply.partition(" ")
    if code == "EXECABORT" and said.startswith(_ABORTED):
        code, _, said = said.removeprefix(_ABORTED).partition(" ")
        if code == "OOM":
            return redis.OutOfMemoryError(said)
        if code == "READONLY":
            return redis.ReadOnlyError(said)
        known = redis.ResponseError(reply)
    if code == "NOPERM":
        return AccessDenied(f"access denied by the ACL of Redis: {said}")
    if isinstance(known, REDIS_PASSING):
        return known
    if code in _LASTING_CODES or not (code.isalpha() and code.isupper()):
        return known
    return PassingRefusal(f"{code} {said}")


def wrong_server(greeting: Mapping[Any, Any] | None, address: str) -> WrongServer | None:
    """Why the server that greeted so (the reply of HELLO) is the wrong one; None if it is not."""
    facts = {_text(name): value for name, value in (greeting or {}).items()}
    mode, version = _text(facts.get("mode", "")), _text(facts.get("version", ""))
    if _text(facts.get("server", "")) == "redis" and is_older(version, _OLDEST):
        return WrongServer(f"REDIS_URL: {address} is Redis {version}; expected Redis 6.2 or later, or Valkey")
    if mode == "cluster":
        return WrongServer(
            f"REDIS_URL: {address} is a node of a Redis Cluster, which Clickpulse does not support: its keys are on "
            "several servers. Expected one server, such as redis://redis:6379/0, or one with replicas behind Sentinel, "
            "such as redis+sentinel://sentinel:26379/mymaster/0"
        )
    if mode == "sentinel":
        return WrongServer(
            f"REDIS_URL: {address} is a Sentinel, which holds no data. Expected the name of its master in the URL, "
            "such as redis+sentinel://sentinel:26379/mymaster/0"
        )
    return None


def is_older(version: str, than: tuple[int, int]) -> bool:
    """Whether a version such as 6.2.14 is older; an unreadable one is not."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < than


def refused_greeting(error: redis.ResponseError, address: str) -> redis.RedisError:
    """The error of a connection whose first commands fail: WrongServer where no retry helps, else the error itself."""
    said = str(error)
    if isinstance(error, (*REDIS_PASSING, redis.exceptions.NoPermissionError)):
        return error
    if "DB index" in said:
        return WrongServer(f"REDIS_URL: {address} has no such database; expected a number it has, such as /0")
    if "unknown command" in said or "NOPROTO" in said:
        return WrongServer(f"REDIS_URL: {address} is no Redis 6.2 or later, nor Valkey: {said}")
    return error


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
