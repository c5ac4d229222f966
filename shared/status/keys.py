"""The Redis contract of the services' status: the latest status of each replica, and what changed last.

Services call `write`, the dashboard calls `read`. `docs/redis.md` documents the keys. All times are epoch ms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
import redis

from shared.events.time_units import DAY_SECONDS, HOUR_MS
from shared.runtime.redis_replies import ReplyTooLarge, is_exhausted, is_wrong_type
from shared.runtime.services import OPTIONAL, SERVICES, TRAFFIC
from shared.status.checks import UNREADABLE_STATUS, status_of, transition_of
from shared.status.replica_status import ReplicaStatus, Transition
from shared.status.unreadable import UNREADABLE

REPORTING: Final = tuple(service.name for service in (*SERVICES, *OPTIONAL, *TRAFFIC))
"""The services that report. Each has keys of its own, so that an ACL can let it write its status and no other's."""
TRANSITIONS_LENGTH: Final = 200
TTL_SECONDS: Final = DAY_SECONDS
"""Its keys outlive the last status by this much, so that a stopped site still shows what ran."""
REPORT_SECONDS: Final = 1.0
DEPARTED_SECONDS: Final = 600
"""The other replicas of its service remove one that is silent for longer, and readers ignore it."""
_AHEAD_MS: Final = HOUR_MS
"""Clocks differ by less. A status from later would never depart."""
_LONGEST_NAME: Final = 300  # bytes of a field
MOST_REPLICAS: Final = 1_000
"""Of a service. A hash with more holds what no service of ours wrote."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """What `read` returns. An unreadable status, transition or key does not affect the others."""

    replicas: list[ReplicaStatus]
    unreadable: dict[str, str]  # key, and field or entry if it is only one → why
    transitions: list[Transition]  # newest first


def replicas_key(service: str) -> str:
    """The hash of a service's statuses: replica → its latest status, JSON."""
    return f"status:replicas:{service}"


def transitions_key(service: str) -> str:
    """The stream of a service's transitions."""
    return f"status:transitions:{service}"


def write(client: redis.Redis, status: ReplicaStatus, changed: Sequence[Transition], prefix: str) -> None:
    """Write a status and what changed since the previous one, in one round trip. Raises redis-py's exceptions.

    Replaces keys that cannot be written to, and a hash with more replicas than a service has: the others write theirs
    again.
    """
    try:
        replicas = _write(client, status, changed, prefix)
    except redis.ResponseError as error:
        if not (is_wrong_type(error) or is_exhausted(error)):
            raise
        replicas = None
    if replicas is None or replicas > MOST_REPLICAS:
        reason = f"{replicas:,} replicas" if replicas else "a key of another type, or that takes no entries"
        UNREADABLE.drop(replicas_key(status.service), reason, "writing it anew")
        client.delete(prefix + replicas_key(status.service), prefix + transitions_key(status.service))
        _write(client, status, changed, prefix)


def _write(client: redis.Redis, status: ReplicaStatus, changed: Sequence[Transition], prefix: str) -> int:
    """Write them; returns how many replicas the hash has."""
    pipeline = client.pipeline(transaction=True)
    key = prefix + replicas_key(status.service)
    pipeline.hset(key, status.replica, msgspec.json.encode(status))
    pipeline.expire(key, TTL_SECONDS)
    for transition in changed:
        pipeline.xadd(
            prefix + transitions_key(status.service),
            msgspec.to_builtins(transition),
            maxlen=TRANSITIONS_LENGTH,
            approximate=False,  # an approximate trim leaves a hundred more
        )
    if changed:
        pipeline.expire(prefix + transitions_key(status.service), TTL_SECONDS)
    pipeline.hlen(key)
    replicas: int = pipeline.execute()[-1]
    return replicas


def remove_departed(client: redis.Redis, service: str, now_ms: int, prefix: str) -> None:
    """Remove the statuses of a service's replicas that are silent for DEPARTED_SECONDS, and unreadable ones.

    A live replica of another release writes its status again a second later. Raises redis-py's exceptions.
    """
    key = prefix + replicas_key(service)
    try:
        fields: Any = client.hgetall(key)
    except ReplyTooLarge as error:
        UNREADABLE.drop(replicas_key(service), str(error), "deleted")
        client.delete(key)
        return
    departed = [field for field, text in fields.items() if _is_departed(service, text, now_ms)]
    if departed:
        client.hdel(key, *departed)


def _is_departed(service: str, text: bytes, now_ms: int) -> bool:
    try:
        silent_ms = now_ms - status_of(text).reported_at_ms
        return not -_AHEAD_MS <= silent_ms <= DEPARTED_SECONDS * 1000
    except UNREADABLE_STATUS as error:
        UNREADABLE.drop(replicas_key(service), str(error), "deleted")
        return True


def replicas_of(client: redis.Redis, service: str, prefix: str) -> list[ReplicaStatus]:
    """The readable statuses of a service's replicas. Raises redis-py's exceptions."""
    fields: Any = client.hgetall(prefix + replicas_key(service))
    return _readable(replicas_key(service), fields.items(), partial(_own, service, status_of), {})


def read(client: redis.Redis, prefix: str) -> Statuses:
    """Read all statuses and transitions, in one round trip. Both are empty when no service has reported.

    Raises redis-py's exceptions when Redis cannot be reached.
    """
    kinds = [(service, kind) for service in REPORTING for kind in (replicas_key, transitions_key)]
    replies = _replies(client, [(prefix + kind(service), kind is replicas_key) for service, kind in kinds])
    unreadable: dict[str, str] = {}
    replicas: list[ReplicaStatus] = []
    changed: list[Transition] = []
    for (service, kind), reply in zip(kinds, replies, strict=True):
        key = prefix + kind(service)
        if isinstance(reply, Exception):
            unreadable[key] = "a key of the wrong type" if is_wrong_type(reply) else str(reply)
            UNREADABLE.drop(kind(service), unreadable[key], "not shown")
        elif kind is replicas_key:
            replicas += _readable(key, reply.items(), partial(_own, service, status_of), unreadable)
            if len(reply) > MOST_REPLICAS:
                unreadable[key] = f"{len(reply):,} replicas, of which {MOST_REPLICAS:,} are read"
        else:
            changed += _readable(key, reply, partial(_own, service, transition_of), unreadable)
    return Statuses(
        replicas=sorted(replicas, key=lambda status: (status.service, status.replica)),
        unreadable=unreadable,
        # Sort by their own times: after an outage of Redis they arrive late.
        transitions=sorted(changed, key=lambda transition: transition.at_ms, reverse=True)[:TRANSITIONS_LENGTH],
    )


def _replies(client: redis.Redis, keys: Sequence[tuple[str, bool]]) -> list[Any]:
    """What each key holds, a hash or else a stream; or why it cannot be read, as an exception."""
    try:
        return _asked(client, keys)
    except ReplyTooLarge:
        replies: list[Any] = []
        for key in keys:  # one by one, to find the ones that are too large
            try:
                replies += _asked(client, [key])
            except ReplyTooLarge as error:
                replies.append(error)
        return replies


def _asked(client: redis.Redis, keys: Sequence[tuple[str, bool]]) -> list[Any]:
    pipeline = client.pipeline(transaction=True)
    for key, is_hash in keys:
        if is_hash:
            pipeline.hgetall(key)
        else:
            pipeline.xrevrange(key, count=TRANSITIONS_LENGTH)
    replies = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not is_wrong_type(reply):
            raise reply
    return replies


def without_departed(replicas: Sequence[ReplicaStatus], now_ms: int) -> list[ReplicaStatus]:
    """The replicas without those that are silent for DEPARTED_SECONDS, unless all are: then the site is stopped."""
    return [status for status in replicas if now_ms - status.reported_at_ms <= DEPARTED_SECONDS * 1000] or list(
        replicas
    )


Decoded = TypeVar("Decoded")
Stored = TypeVar("Stored")
Reported = TypeVar("Reported", ReplicaStatus, Transition)


def _readable(
    key: str, stored: Iterable[tuple[bytes, Stored]], decode: Callable[[Stored], Decoded], unreadable: dict[str, str]
) -> list[Decoded]:
    """Decode what can be decoded, of at most MOST_REPLICAS; put the rest into `unreadable` with the reason."""
    decoded = []
    for name, content in islice(stored, MOST_REPLICAS):
        try:
            decoded.append(decode(content))
        except UNREADABLE_STATUS as error:
            unreadable[f"{key} {name[:_LONGEST_NAME].decode(errors='replace')}"] = str(error)
    return decoded


def _own(service: str, decode: Callable[[Stored], Reported], stored: Stored) -> Reported:
    """Decode what a service reports about itself. An ACL lets it write no other service's keys, but any value."""
    reported = decode(stored)
    if reported.service != service:
        raise ValueError(f"reports for {reported.service!r}, not for {service}")
    return reported
