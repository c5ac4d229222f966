"""What changed in a partition's names and their counts, so that another replica can keep a copy of them. Pure.

A copy has the names that have counts, by code. Changes carry the counts, as they are, of every code that changed at any
instant since `since`. So they fit every copy that is as new as that or newer: it takes some of them again.
"""

from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, grown
from services.aggregate.rollups.popularity import Popularity

_NAME_BYTES: Final = 5
"""Of the length of a name."""
_LATEST_S: Final = 2**32 - 1
GREATEST_INT32: Final = 2**31 - 1


class AsOf(NamedTuple):
    """How new a copy is: codes below `below` are as of the instant `at_s` (epoch seconds), the others as of `from_s`.

    At the instant 0 there was no name.
    """

    at_s: int
    below: int
    from_s: int

    @property
    def is_whole(self) -> bool:
        """Whether all codes are as of one instant."""
        return self.at_s == self.from_s

    def check(self) -> None:
        """Raise ValueError if no replica writes it."""
        if not (0 <= self.from_s <= self.at_s <= _LATEST_S and 0 <= self.below <= _LATEST_S):
            raise ValueError("an instant or a code is out of range")

    def instants(self, size: int) -> Ints:
        """The instant of each code below `size`."""
        instants = np.full(size, self.from_s, np.int64)
        instants[: self.below] = self.at_s
        return instants


NOTHING: Final = AsOf(0, 0, 0)


class NameChanges(msgspec.Struct, frozen=True, array_like=True):
    """The changes of one table of names, in order of the codes."""

    since: AsOf
    until: AsOf
    codes: bytes  # uint32
    counts: bytes  # row after row, int32 or, if one of them is too large, int64
    is_named: bytes  # bool: whether the code's name is among `names`
    names: list[Any]


class NameFeed:
    """The changes of one table of a partition. Not thread-safe.

    It remembers when each code changed, 8 bytes a code, and the counts of the last instant. So any number of copies, of
    any age, cost nothing.
    """

    def __init__(self) -> None:
        self._popularity: Popularity | None = None
        self._mark: Any = None
        self._at_s = 0
        self._changed_s = np.empty(0, np.uint32)  # by code: when its counts or its name last changed
        self._appeared_s = np.empty(0, np.uint32)  # when it last got counts after it had none, or another name

    def follow(self, at_s: int, popularity: Popularity) -> bool:
        """Take the counts of an instant. False, and they are not taken, if they do not continue those before.

        The names are `Names`.
        """
        before = self._popularity
        if before is not None and at_s <= self._at_s:
            return at_s == self._at_s and before.events is popularity.events
        names: Any = popularity.names
        changes = names.changes(self._mark)
        size = popularity.events.shape[1]
        known = 0 if before is None else before.events.shape[1]
        if before is not None and (changes.is_whole or size < known):
            return False
        self._changed_s, self._appeared_s = grown(self._changed_s, size), grown(self._appeared_s, size)
        if before is not None:
            changed = np.flatnonzero(_differ(before.events, popularity.events[:, :known]))
            self._changed_s[changed] = at_s
            self._appeared_s[changed[~before.events[:, changed].any(axis=0)]] = at_s
        new = known + np.flatnonzero(popularity.events[:, known:].any(axis=0))
        reused = np.array([code for code in changes.assigned if code < known], np.int64)
        for codes in (new, reused):
            self._changed_s[codes] = at_s
            self._appeared_s[codes] = at_s
        self._popularity, self._mark, self._at_s = popularity, changes.until, at_s
        return True

    def since(self, known: AsOf, most_bytes: int) -> tuple[NameChanges, int]:
        """The changes for a copy that is as new as `known`, and about how many bytes they have.

        Beyond `most_bytes` the changes of the greatest codes are left out, and `until` says so. One is sent at least,
        unless `most_bytes` is 0.
        """
        assert self._popularity is not None
        counts, names = self._popularity.events, self._popularity.names
        known_s = known.instants(counts.shape[1])
        is_changed = self._changed_s[: counts.shape[1]] > known_s
        is_changed &= (known_s > 0) | counts.any(axis=0)  # where there was nothing, nothing has to be removed
        codes = np.flatnonzero(is_changed)
        code_bytes = 5 + 4 * counts.shape[0]
        fewest = 1 if most_bytes > 0 else 0
        fitting = max(fewest, most_bytes // code_bytes)
        first_left = codes[fitting:][:1].tolist()
        codes = codes[:fitting]
        is_named = (self._appeared_s[codes] > known_s[codes]) & counts[:, codes].any(axis=0)
        shown = [names[code] for code in codes[is_named].tolist()]
        total_bytes = _total_bytes(code_bytes, is_named, shown)
        fitting = max(fewest, int(np.searchsorted(total_bytes, most_bytes, "right")))
        first_left = codes[fitting:][:1].tolist() or first_left
        codes, is_named = codes[:fitting], is_named[:fitting]
        changes = NameChanges(
            since=known,
            until=AsOf(self._at_s, first_left[0], known.from_s) if first_left else AsOf(self._at_s, 0, self._at_s),
            codes=codes.astype(np.uint32).tobytes(),
            counts=_packed(counts[:, codes]),
            is_named=is_named.tobytes(),
            names=shown[: int(np.count_nonzero(is_named))],
        )
        return changes, int(total_bytes[len(codes) - 1]) if len(codes) else 0


def _differ(counts: Array, others: Array) -> Bools:
    """Whether the counts of a code differ in any row."""
    differs: Bools = counts[0] != others[0]
    for row, other in zip(counts[1:], others[1:], strict=True):
        differs |= row != other
    return differs


def _packed(counts: Array) -> bytes:
    return counts.astype(np.int32 if counts.max(initial=0) <= GREATEST_INT32 else np.int64).tobytes()


def _total_bytes(code_bytes: int, is_named: Bools, names: list[Any]) -> Ints:
    """The bytes up to and with each code."""
    sizes = np.full(len(is_named), code_bytes, np.int64)
    sizes[is_named] += np.fromiter(map(size_of, names), np.int64, len(names))
    return sizes.cumsum()


def size_of(name: Any) -> int:
    """About how many bytes a name takes."""
    if isinstance(name, str):
        return _NAME_BYTES + (len(name) if name.isascii() else 4 * len(name))
    return _NAME_BYTES + sum(map(size_of, name))
