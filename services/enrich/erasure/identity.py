"""Under which ids a visitor may be stored: the original one, and its pseudonyms by the salts that still exist."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

import redis

from services.enrich.privacy.lookup_names import lookup_key_of, lookup_name, shared_key_key
from shared.events.time_units import DAY_MS
from shared.privacy.pseudonyms import salt_key
from shared.privacy.rotation import Period, Rotation, derived_salt, period_of, pseudonym_of

_ROTATIONS: Final[tuple[Rotation, ...]] = get_args(Rotation)
_COUNTED_MS: Final = 2 * DAY_MS
"""No window, session or salt of the past reaches further back, nor does a rebuild."""
LONGEST_MS: Final = 400 * DAY_MS
"""How far back pseudonyms are computed."""
_KEY_BYTES: Final = range(16, 65)
"""The length of a key that `pseudonym_of` takes. Others may write to the same Redis."""


class Identity(NamedTuple):
    """The ids of a visitor, each with the period it is valid in; the original id has none."""

    user_id: str
    periods: Mapping[str, Period | None]
    lookup_names: Sequence[str] = ()
    """Under which lookups are stored: the id, and while visitors are hashed, its keyed hash."""
    days: Sequence[Period] = ()
    """The days of which the collector may remember a session: its visitors' ids are pseudonyms from the start."""

    @property
    def ids(self) -> frozenset[str]:
        """Every id under which a record of the log may be stored."""
        return frozenset(self.periods)

    def counted_ids(self, now_ms: int) -> list[str]:
        """The pseudonyms that a window, or the log that it is rebuilt from, may hold."""
        return self.pseudonyms_since(now_ms - _COUNTED_MS)

    def pseudonyms_since(self, since_ms: int) -> list[str]:
        """The pseudonyms whose period ended after an instant."""
        return [user_id for user_id, period in self.periods.items() if period is not None and period.end_ms > since_ms]


def identity_of(
    client: redis.Redis, prefix: str, user_id: str, *, secret: str | None, kept_ms: int, now_ms: int
) -> Identity:
    """The visitor's ids over the last `kept_ms`. Raises redis-py's exceptions.

    A pseudonym whose salt is deleted cannot be computed, by nobody: its records are not linked to a person any more.
    """
    periods = [period for rotation in _ROTATIONS for period in _periods(rotation, now_ms - kept_ms, now_ms)]
    salts: list[Any] = [derived_salt(secret, period) for period in periods] if secret is not None else []
    if secret is None:
        salts = client.mget([salt_key(prefix, period) for period in periods])
    found: dict[str, Period | None] = {user_id: None}
    for period, salt in zip(periods, salts, strict=True):
        if salt and len(salt) in _KEY_BYTES:
            found[pseudonym_of(user_id, salt)] = period
    keys: Any = [lookup_key_of(secret)] if secret is not None else client.mget(shared_key_key(prefix))
    key = keys[0]
    is_key = key is not None and len(key) in _KEY_BYTES
    days = [period_of(now_ms - back, "daily") for back in (0, DAY_MS)]
    return Identity(user_id, found, (user_id, lookup_name(user_id, key)) if is_key else (user_id,), days)


def _periods(rotation: Rotation, from_ms: int, now_ms: int) -> list[Period]:
    period = period_of(now_ms, rotation)
    found = [period]
    while period.start_ms > max(from_ms, now_ms - LONGEST_MS):
        period = period_of(period.start_ms - 1, rotation)
        found.append(period)
    return found
