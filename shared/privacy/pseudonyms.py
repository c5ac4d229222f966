"""Pseudonyms for a micro-batch. Replicas agree on salts, and on sessions that cross a rotation, through Redis."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol, cast

import redis

from shared.events.time_units import DAY_MS, MINUTE_MS
from shared.privacy.rotation import (
    LONGEST_CROSSING_MS,
    REMEMBERED_MS,
    SESSION_GAP_SECONDS,
    Crossing,
    Period,
    Rotation,
    derived_salt,
    period_of,
    pseudonym_of,
)
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.runtime.redis_replies import is_wrong_type
from shared.status.unreadable import UNREADABLE

CONFIRM_MS: Final = MINUTE_MS
"""How often to confirm a salt with Redis: if Redis lost it, replicas must agree on one again."""

_SALT_BYTES: Final = 32
ENRICH: Final = "enrich"  # whose salts they are by default
COLLECT: Final = "collect"


def salt_key(prefix: str, period: Period, owner: str = ENRICH) -> str:
    """The salt of a period, 32 random bytes. `owner` is the service whose salts they are."""
    return f"{prefix}{owner}:salt:{period.label}"


def crossing_key(prefix: str, before: Period, owner: str = ENRICH) -> str:
    """The hash of the sessions that cross the end of a period: old pseudonym → until when, epoch ms."""
    return f"{prefix}{owner}:crossing:{before.label}"


class _Salt(NamedTuple):
    value: bytes
    confirm_at_ms: int


class _Plan(NamedTuple):
    """How to hash the clicks of one day. From `quiet_from_ms` to `quiet_until_ms` no rotation is near."""

    period: Period
    salt: bytes
    quiet_from_ms: int
    quiet_until_ms: int
    before: Period | None
    """The previous period, if a session from it may continue and its salt still exists."""


class HasVisitor(Protocol):
    """A click: when it was, and whose."""

    @property
    def timestamp(self) -> int: ...
    @property
    def userId(self) -> str: ...  # noqa: N802 - the name of the wire contract


class _Click(NamedTuple):
    """A click near a rotation, and its visitor's pseudonym by the salt before it."""

    place: int
    timestamp_ms: int
    before: Period
    old_pseudonym: str


class Pseudonyms:
    """Hashes user ids with the salt of the click's day or month. One thread.

    With a `secret`, salts are derived from it. Without, they are random, kept in Redis, and deleted a day after their
    period. `clock_ms` returns epoch ms.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        rotation: Rotation,
        secret: str | None,
        clock_ms: Callable[[], int],
        owner: str = ENRICH,
    ) -> None:
        """`owner` is the service whose salts they are."""
        self._client = client
        self._prefix = prefix
        self._rotation = rotation
        self._secret = secret
        self._clock_ms = clock_ms
        self._owner = owner
        self._salts: dict[Period, _Salt] = {}

    def of(self, events: Sequence[HasVisitor]) -> list[str]:
        """The pseudonym of each event's visitor.

        Asks Redis for salts that are new or due for confirmation, and near a rotation. Raises what redis-py raises; a
        retry gives the same answer.
        """
        now_ms = self._clock_ms()
        self._forget(now_ms)
        plans: dict[int, _Plan] = {}
        pseudonyms: list[str] = []
        near: list[_Click] = []
        for place, event in enumerate(events):
            timestamp_ms = event.timestamp
            day = timestamp_ms // DAY_MS
            plan = plans.get(day)
            if plan is None:
                plan = plans[day] = self._plan(day, now_ms)
            pseudonym = pseudonym_of(event.userId, plan.salt)
            pseudonyms.append(pseudonym)
            if timestamp_ms >= plan.quiet_until_ms:
                near.append(_Click(place, timestamp_ms, plan.period, pseudonym))
            elif timestamp_ms < plan.quiet_from_ms and plan.before is not None:
                old_pseudonym = pseudonym_of(event.userId, self._salt(plan.before, now_ms))
                near.append(_Click(place, timestamp_ms, plan.before, old_pseudonym))
        if near:
            self._join_sessions(near, pseudonyms)
        return pseudonyms

    def _plan(self, day: int, now_ms: int) -> _Plan:
        period = period_of(day * DAY_MS, self._rotation)
        if not period.is_remembered(now_ms):
            # An event far in the past or future has no salt and gets none: it is hashed with the current one.
            period = period_of(now_ms, self._rotation)
            return _Plan(period, self._salt(period, now_ms), day * DAY_MS, (day + 1) * DAY_MS, None)
        before = period_of(period.start_ms - 1, self._rotation)
        return _Plan(
            period,
            self._salt(period, now_ms),
            period.start_ms + LONGEST_CROSSING_MS,
            period.end_ms - SESSION_GAP_SECONDS * 1000,
            before if before.is_remembered(now_ms) else None,
        )

    def _join_sessions(self, near: Sequence[_Click], pseudonyms: list[str]) -> None:
        """Give each click of a session that crosses a rotation the pseudonym with which the session began."""
        crossings = self._read_crossings(near)
        for click in near:
            crossing = crossings[click.before]
            is_before = click.timestamp_ms < click.before.end_ms
            if is_before or crossing.goes_on(click.old_pseudonym, click.timestamp_ms):
                crossing.extend(click.old_pseudonym, click.timestamp_ms)
                pseudonyms[click.place] = click.old_pseudonym
        self._write_crossings(crossings)

    def _read_crossings(self, near: Iterable[_Click]) -> dict[Period, Crossing]:
        asked: dict[Period, dict[str, None]] = defaultdict(dict)
        for click in near:
            asked[click.before][click.old_pseudonym] = None
        pipeline = self._client.pipeline(transaction=False)
        for before, fields in asked.items():
            pipeline.hmget(crossing_key(self._prefix, before, self._owner), list(fields))
        replies = pipeline.execute(raise_on_error=False)
        return {
            before: Crossing(self._until(before, fields, reply))
            for (before, fields), reply in zip(asked.items(), replies, strict=True)
        }

    def _until(self, before: Period, fields: Iterable[str], reply: object) -> dict[str, int]:
        """The sessions in a reply; none in a key of another type, which is removed."""
        if isinstance(reply, redis.ResponseError) and is_wrong_type(reply):
            UNREADABLE.drop(f"{self._owner}:crossing:", "a key of another type", "deleted")
            self._client.delete(crossing_key(self._prefix, before, self._owner))
            return {}
        if isinstance(reply, Exception):
            raise reply
        found = zip(fields, cast(list[bytes | None], reply), strict=True)
        return {field: int(until) for field, until in found if until is not None and self._is_instant(until)}

    def _write_crossings(self, crossings: dict[Period, Crossing]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for before, crossing in crossings.items():
            if crossing.changed:
                key = crossing_key(self._prefix, before, self._owner)
                pipeline.hset(key, items=[part for field in crossing.changed.items() for part in field])
                pipeline.pexpireat(key, before.end_ms + REMEMBERED_MS)
        pipeline.execute()

    def _salt(self, period: Period, now_ms: int) -> bytes:
        salt = self._salts.get(period)
        if salt is None or salt.confirm_at_ms <= now_ms:
            salt = self._salts[period] = self._agreed_salt(period, salt, now_ms)
        return salt.value

    def _agreed_salt(self, period: Period, known: _Salt | None, now_ms: int) -> _Salt:
        if self._secret is not None:
            return _Salt(derived_salt(self._secret, period), period.end_ms + REMEMBERED_MS)
        key = salt_key(self._prefix, period, self._owner)
        # The first replica's proposal wins. A replica that knows the salt restores it in a Redis that lost it.
        proposed = known.value if known is not None else secrets.token_bytes(_SALT_BYTES)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.set(key, proposed, nx=True, pxat=period.end_ms + REMEMBERED_MS)
        pipeline.getrange(key, 0, _SALT_BYTES)
        try:
            agreed = pipeline.execute(raise_on_error=False)[1]
            if isinstance(agreed, redis.ResponseError) and not is_wrong_type(agreed):
                raise agreed
            if not isinstance(agreed, bytes) or len(agreed) != _SALT_BYTES:
                UNREADABLE.drop(f"{self._owner}:salt:", "no salt of ours", "writing it anew")
                self._client.set(key, proposed, pxat=period.end_ms + REMEMBERED_MS)
                agreed = proposed
        except REDIS_UNAVAILABLE:
            if known is None:
                raise
            agreed = None
        return _Salt(agreed if agreed is not None else proposed, now_ms + CONFIRM_MS)

    def _forget(self, now_ms: int) -> None:
        for period in [period for period in self._salts if not period.is_remembered(now_ms)]:
            del self._salts[period]

    def _is_instant(self, digits: bytes) -> bool:
        if digits.isdigit() and len(digits) <= 15:
            return True
        UNREADABLE.drop(f"{self._owner}:crossing:", "no instant", "ignored")
        return False
