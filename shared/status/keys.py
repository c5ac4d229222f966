"""The Redis contract of the services' status: the latest status of each replica, and what changed last.

Services call `write`, the dashboard calls `read`. `docs/redis.md` documents the keys. All times are epoch ms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
import redis

from shared.events.time_units import DAY_SECONDS
from shared.status.replica_status import ReplicaStatus, Transition

REPLICAS_KEY: Final = "status:replicas"
"""`<service>:<replica>` → its latest status, JSON."""
TRANSITIONS_KEY: Final = "status:transitions"
TRANSITIONS_LENGTH: Final = 200
TTL_SECONDS: Final = DAY_SECONDS
"""Both keys outlive the last status by this much, so that a stopped site still shows what ran."""
REPORT_SECONDS: Final = 1.0
DEPARTED_SECONDS: Final = 600
"""The other replicas remove one that is silent for longer."""

_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class MalformedStatus(Exception):  # noqa: N818 - a state of the data
    """A key has another type than the contract says."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """What `read` returns. An unreadable status or transition does not affect the others."""

    replicas: list[ReplicaStatus]
    unreadable: dict[str, str]  # key and field or entry → why
    transitions: list[Transition]  # newest first


def replica_field(service: str, replica: str) -> str:
    """The field of a replica in REPLICAS_KEY."""
    return f"{service}:{replica}"


def write(client: redis.Redis, status: ReplicaStatus, changed: Sequence[Transition], prefix: str) -> None:
    """Write a status and what changed since the previous one, in one round trip. Raises redis-py's exceptions."""
    pipeline = client.pipeline(transaction=True)
    key = prefix + REPLICAS_KEY
    pipeline.hset(key, replica_field(status.service, status.replica), msgspec.json.encode(status))
    pipeline.expire(key, TTL_SECONDS)
    for transition in changed:
        pipeline.xadd(
            prefix + TRANSITIONS_KEY,
            msgspec.to_builtins(transition),
            maxlen=TRANSITIONS_LENGTH,
            approximate=False,  # an approximate trim leaves a hundred more
        )
    if changed:
        pipeline.expire(prefix + TRANSITIONS_KEY, TTL_SECONDS)
    pipeline.execute()


def remove_departed(client: redis.Redis, now_ms: int, prefix: str) -> None:
    """Remove the statuses of replicas that are silent for DEPARTED_SECONDS, and unreadable ones.

    A live replica of another release writes its status again a second later. Raises redis-py's exceptions.
    """
    fields: Any = client.hgetall(prefix + REPLICAS_KEY)
    departed = [field for field, text in fields.items() if _is_departed(text, now_ms)]
    if departed:
        client.hdel(prefix + REPLICAS_KEY, *departed)


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
    pipeline.hgetall(prefix + REPLICAS_KEY)
    pipeline.xrevrange(prefix + TRANSITIONS_KEY, count=TRANSITIONS_LENGTH)
    try:
        fields, entries = pipeline.execute()
    except redis.exceptions.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        raise MalformedStatus(f"a key is of the wrong type: {error}") from error
    unreadable: dict[str, str] = {}
    replicas = _readable(prefix + REPLICAS_KEY, fields.items(), _status, unreadable)
    changed = _readable(prefix + TRANSITIONS_KEY, entries, _transition, unreadable)
    return Statuses(
        replicas=sorted(replicas, key=lambda status: (status.service, status.replica)),
        unreadable=unreadable,
        # Sort by their own times: after an outage of Redis they arrive late.
        transitions=sorted(changed, key=lambda transition: transition.at_ms, reverse=True),
    )


Decoded = TypeVar("Decoded")
Stored = TypeVar("Stored")

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
