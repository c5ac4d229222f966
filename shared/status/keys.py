"""The Redis contract of the services' status: the latest status of each replica, and what changed last.

Services call `write`, the dashboard calls `read`. `docs/redis.md` documents the keys. All times are epoch ms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
import redis

from shared.events.time_units import DAY_SECONDS
from shared.runtime.services import SERVICES, TRAFFIC
from shared.status.replica_status import ReplicaStatus, Transition

REPORTING: Final = tuple(service.name for service in (*SERVICES, *TRAFFIC))
"""The services that report. Each has keys of its own, so that an ACL can let it write its status and no other's."""
TRANSITIONS_LENGTH: Final = 200
TTL_SECONDS: Final = DAY_SECONDS
"""Its keys outlive the last status by this much, so that a stopped site still shows what ran."""
REPORT_SECONDS: Final = 1.0
DEPARTED_SECONDS: Final = 600
"""The other replicas of its service remove one that is silent for longer, and readers ignore it."""

_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class MalformedStatus(Exception):  # noqa: N818 - a state of the data
    """A key has another type than the contract says."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """What `read` returns. An unreadable status or transition does not affect the others."""

    replicas: list[ReplicaStatus]
    unreadable: dict[str, str]  # key and field or entry → why
    transitions: list[Transition]  # newest first


def replicas_key(service: str) -> str:
    """The hash of a service's statuses: replica → its latest status, JSON."""
    return f"status:replicas:{service}"


def transitions_key(service: str) -> str:
    """The stream of a service's transitions."""
    return f"status:transitions:{service}"


def write(client: redis.Redis, status: ReplicaStatus, changed: Sequence[Transition], prefix: str) -> None:
    """Write a status and what changed since the previous one, in one round trip. Raises redis-py's exceptions."""
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
    pipeline.execute()


def remove_departed(client: redis.Redis, service: str, now_ms: int, prefix: str) -> None:
    """Remove the statuses of a service's replicas that are silent for DEPARTED_SECONDS, and unreadable ones.

    A live replica of another release writes its status again a second later. Raises redis-py's exceptions.
    """
    key = prefix + replicas_key(service)
    fields: Any = client.hgetall(key)
    departed = [field for field, text in fields.items() if _is_departed(text, now_ms)]
    if departed:
        client.hdel(key, *departed)


def _is_departed(text: bytes, now_ms: int) -> bool:
    try:
        return now_ms - _status(text).reported_at_ms > DEPARTED_SECONDS * 1000
    except _UNREADABLE:
        return True


def read(client: redis.Redis, prefix: str) -> Statuses:
    """Read all statuses and transitions in one round trip. Both are empty when no service has reported.

    Raises MalformedStatus, and redis-py's exceptions when Redis cannot be reached.
    """
    pipeline = client.pipeline(transaction=True)
    for service in REPORTING:
        pipeline.hgetall(prefix + replicas_key(service))
        pipeline.xrevrange(prefix + transitions_key(service), count=TRANSITIONS_LENGTH)
    try:
        replies = pipeline.execute()
    except redis.exceptions.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        raise MalformedStatus(f"a key is of the wrong type: {error}") from error
    unreadable: dict[str, str] = {}
    replicas: list[ReplicaStatus] = []
    changed: list[Transition] = []
    for service, fields, entries in zip(REPORTING, replies[::2], replies[1::2], strict=True):
        own_status, own_transition = partial(_own, service, _status), partial(_own, service, _transition)
        replicas += _readable(prefix + replicas_key(service), fields.items(), own_status, unreadable)
        changed += _readable(prefix + transitions_key(service), entries, own_transition, unreadable)
    return Statuses(
        replicas=sorted(replicas, key=lambda status: (status.service, status.replica)),
        unreadable=unreadable,
        # Sort by their own times: after an outage of Redis they arrive late.
        transitions=sorted(changed, key=lambda transition: transition.at_ms, reverse=True)[:TRANSITIONS_LENGTH],
    )


def without_departed(replicas: Sequence[ReplicaStatus], now_ms: int) -> list[ReplicaStatus]:
    """The replicas without those that are silent for DEPARTED_SECONDS, unless all are: then the site is stopped."""
    return [status for status in replicas if now_ms - status.reported_at_ms <= DEPARTED_SECONDS * 1000] or list(
        replicas
    )


Decoded = TypeVar("Decoded")
Stored = TypeVar("Stored")
Reported = TypeVar("Reported", ReplicaStatus, Transition)

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError, msgspec.MsgspecError)


def _readable(
    key: str, stored: Iterable[tuple[bytes, Stored]], decode: Callable[[Stored], Decoded], unreadable: dict[str, str]
) -> list[Decoded]:
    """Decode what can be decoded; put the rest into `unreadable` with the reason."""
    decoded = []
    for name, content in stored:
        try:
            decoded.append(decode(content))
        except _UNREADABLE as error:
            unreadable[f"{key} {name.decode(errors='replace')}"] = str(error)
    return decoded


def _own(service: str, decode: Callable[[Stored], Reported], stored: Stored) -> Reported:
    """Decode what a service reports about itself. An ACL lets it write no other service's keys, but any value."""
    reported = decode(stored)
    if reported.service != service:
        raise ValueError(f"reports for {reported.service!r}, not for {service}")
    return reported


_decode_status: Final = msgspec.json.Decoder(ReplicaStatus).decode


def _status(text: bytes) -> ReplicaStatus:
    status = _decode_status(text)
    if not (0 <= status.started_at_ms <= _LATEST_MS and 0 <= status.reported_at_ms <= _LATEST_MS):
        raise ValueError("its times are out of range")
    return status


def _transition(fields: Mapping[bytes, bytes]) -> Transition:
    texts = {name.decode(): text.decode() for name, text in fields.items()}
    transition = msgspec.convert(texts, Transition, strict=False)
    if not 0 <= transition.at_ms <= _LATEST_MS:
        raise ValueError("its time is out of range")
    return transition
