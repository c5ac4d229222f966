"""Rotating salts: the period of an event, the pseudonym of a visitor, sessions that cross a rotation. Pure.

`docs/decisions/0005-visitor-pseudonyms.md` has the reasons.
"""

import hmac
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from shared.events.time_units import DAY_MS, HALF_HOUR_SECONDS, MINUTE_MS

Rotation = Literal["daily", "monthly"]

SESSION_GAP_SECONDS: Final = HALF_HOUR_SECONDS
"""Two clicks of a visitor this far apart, in whole seconds, belong to two sessions."""

REMEMBERED_MS: Final = DAY_MS
"""How long a salt outlives its period, for late events and for sessions that continue."""

LONGEST_CROSSING_MS: Final = DAY_MS // 6
"""A session that continues for four hours after a rotation is not a person's, so it is cut there."""

_AHEAD_MS: Final = 10 * MINUTE_MS  # events may be a minute ahead, and clocks differ
_PSEUDONYM_BYTES: Final = 16


class Period(NamedTuple):
    """The validity of one salt: a day or month in UTC, from `start_ms` to just before `end_ms`."""

    label: str
    start_ms: int
    end_ms: int

    def is_remembered(self, now_ms: int) -> bool:
        """Whether its salt may exist now: the period has begun and its salt is not deleted yet."""
        return self.start_ms - _AHEAD_MS <= now_ms < self.end_ms + REMEMBERED_MS


def period_of(timestamp_ms: int, rotation: Rotation) -> Period:
    """The period of an instant from 1970 to 9999."""
    return _period_of_day(timestamp_ms // DAY_MS, rotation)


@lru_cache(maxsize=1024)
def _period_of_day(day: int, rotation: Rotation) -> Period:
    date = datetime.fromtimestamp(day * DAY_MS // 1000, UTC)
    if rotation == "daily":
        return Period(date.strftime("%Y-%m-%d"), day * DAY_MS, (day + 1) * DAY_MS)
    first_day = day - date.day + 1
    _, days = monthrange(date.year, date.month)
    return Period(date.strftime("%Y-%m"), first_day * DAY_MS, (first_day + days) * DAY_MS)


def derived_salt(secret: str, period: Period) -> bytes:
    """The salt of a period, for everybody who knows the secret."""
    return hmac.digest(secret.encode(), period.label.encode(), "sha256")


def pseudonym_of(user_id: str, salt: bytes) -> str:
    """32 hexadecimal digits that identify the visitor only to those who know the salt (16 to 64 bytes)."""
    return blake2b(user_id.encode(), key=salt, digest_size=_PSEUDONYM_BYTES).hexdigest()


class Crossing:
    """The sessions that cross one rotation: until when (epoch ms) each old pseudonym stays in use."""

    def __init__(self, until_ms: Mapping[str, int]) -> None:
        self.changed: dict[str, int] = {}
        """The entries that `extend` changed."""
        self._until_ms = dict(until_ms)

    def goes_on(self, pseudonym: str, timestamp_ms: int) -> bool:
        """Whether a click after the rotation belongs to a session from before it."""
        return timestamp_ms < self._until_ms.get(pseudonym, 0)

    def extend(self, pseudonym: str, timestamp_ms: int) -> None:
        """Extend the session by the gap after a click under the old pseudonym. Clicks may come in any order."""
        until_ms = (timestamp_ms // 1000 + SESSION_GAP_SECONDS) * 1000
        if until_ms > self._until_ms.get(pseudonym, 0):
            self._until_ms[pseudonym] = self.changed[pseudonym] = until_ms
