"""The erasures of visitors: whose events, up to which instant, no service keeps or counts. Pure; times are epoch ms.

An event is erased when it happened or arrived up to the erasure of its visitor. So an event in flight at that instant
is erased too, and so is a copy that somebody sends again later. A later event counts, as one of a new visitor.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from shared.events.time_units import DAY_MS, MINUTE_MS
from shared.events.timestamps import LATEST_MS

KEPT_MS: Final = 30 * DAY_MS
"""The least time for which an erasure is kept: a replica that stays away for less erases its state on its return."""

_TOKEN_BYTES: Final = 16
_TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_AHEAD_MS: Final = 10 * MINUTE_MS  # of clocks that differ
_REMEMBERED_IDS: Final = 100_000
_LONGEST_REMEMBERED: Final = 256  # characters


class Erasure(NamedTuple):
    """A visitor's events up to `until_ms` are erased; from `kept_until_ms` on no log and no state can hold them."""

    until_ms: int
    kept_until_ms: int


def token_of(user_id: str, key: bytes = b"") -> str:
    """What stands for a visitor in the list: 32 hexadecimal digits. Who lacks the key cannot test a guessed id."""
    return blake2b(user_id.encode("utf-8", "surrogatepass"), key=key[:64], digest_size=_TOKEN_BYTES).hexdigest()


class Erasures:
    """The erasures in force. Never changes."""

    def __init__(self, by_token: Mapping[str, Erasure] | None = None, key: bytes = b"") -> None:
        """`key` is that of `token_of`."""
        self.by_token: Final = dict(by_token or {})
        self.latest_ms: Final = max((erasure.until_ms for erasure in self.by_token.values()), default=-1)
        self._key = key
        self._until_ms: dict[str, int] = {}  # by userId, remembered; -1 without an erasure

    def __bool__(self) -> bool:
        return bool(self.by_token)

    def includes(self, user_id: str) -> bool:
        """Whether the visitor was forgotten. It may have come back since."""
        return self._erased_until(user_id) >= 0

    def erases(self, user_id: str, happened_ms: int, arrived_ms: int) -> bool:
        """Whether an event of the visitor is erased."""
        earliest_ms = min(happened_ms, arrived_ms)
        return earliest_ms <= self.latest_ms and earliest_ms <= self._erased_until(user_id)

    def covers(self, other: "Erasures") -> bool:
        """Whether everything that `other` erases is erased here too."""
        return all(
            token in self.by_token and self.by_token[token].until_ms >= erasure.until_ms
            for token, erasure in other.by_token.items()
        )

    def with_all(self, other: "Erasures") -> "Erasures":
        """Both lists in one; of two erasures of a visitor, the later one."""
        if self.covers(other):
            return self
        merged = dict(self.by_token)
        for token, erasure in other.by_token.items():
            known = merged.get(token, erasure)
            merged[token] = Erasure(*map(max, known, erasure))
        return Erasures(merged, self._key)

    def at(self, now_ms: int) -> "Erasures":
        """Without the erasures that need not be kept any more."""
        kept = {token: erasure for token, erasure in self.by_token.items() if erasure.kept_until_ms > now_ms}
        return self if len(kept) == len(self.by_token) else Erasures(kept, self._key)

    def _erased_until(self, user_id: str) -> int:
        until_ms = self._until_ms.get(user_id)
        if until_ms is None:
            erasure = self.by_token.get(token_of(user_id, self._key))
            until_ms = -1 if erasure is None else erasure.until_ms
            if len(user_id) <= _LONGEST_REMEMBERED:
                if len(self._until_ms) >= _REMEMBERED_IDS:
                    self._until_ms.clear()
                self._until_ms[user_id] = until_ms
        return until_ms


NO_ERASURES: Final = Erasures()

_Wire = dict[str, tuple[int, int]]


def encode_erasures(erasures: Erasures) -> bytes:
    """The erasures as the state of a partition stores them."""
    return msgspec.json.encode(erasures.by_token)


def decode_erasures(text: bytes) -> Erasures:
    """The opposite of `encode_erasures`; none for empty text. Raises ValueError for any other text."""
    if not text:
        return NO_ERASURES
    try:
        by_token = msgspec.json.decode(text, type=_Wire)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    return Erasures({token: Erasure(*times) for token, times in by_token.items()})


def encode_erasure(erasure: Erasure) -> bytes:
    """An erasure as a value in Redis."""
    return b"%d %d" % erasure


def read_erasures(fields: Mapping[bytes, bytes], now_ms: int) -> dict[str, Erasure]:
    """The erasures in the hash in Redis, by token. Leaves out whatever is not one: anybody may have written there."""
    found = {}
    for name, text in fields.items():
        token = name.decode("ascii", "replace")
        numbers = text.split(b" ") if len(text) <= 40 else []
        if _TOKEN.fullmatch(token) and len(numbers) == 2 and all(map(bytes.isdigit, numbers)):
            erasure = Erasure(*map(int, numbers))
            if erasure.until_ms <= now_ms + _AHEAD_MS and now_ms < erasure.kept_until_ms <= LATEST_MS:
                found[token] = erasure
    return found
