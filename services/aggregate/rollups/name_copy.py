"""A copy of the names and counts of another replica's partition, kept up to date by what it sends. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.names import Changes
from services.aggregate.rollups.name_changes import GREATEST_INT32, NOTHING, AsOf, NameChanges
from services.aggregate.rollups.popularity import Popularity
from shared.rollups.codecs import GREATEST

MOST_CODES: Final = 8_388_608
"""Of a table, far above the names that a partition may have: anyone may have sent them."""
_NAME_BYTES: Final = 64  # in memory, beside the text
_CODE_BYTES: Final = 8  # beside the counts


class CopiedNames(Sequence[Any]):
    """The names by code; None at a code without counts. What `Names` is for a partition of our own."""

    def __init__(self) -> None:
        self._names: list[Any] = []
        self._version = 0
        self._freed: Ints = np.empty(0, np.int64)
        self._assigned: list[int] = []

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: Any) -> Any:
        return self._names[code]

    def continues(self, names: object) -> bool:  # noqa: ARG002 - see `Names`
        """Never: these change in place."""
        return False

    def changes(self, since: Any) -> Changes:
        """See `Names`. Everything counts as changed, unless the mark is one update old or none."""
        until: Any = (self, self._version)
        if since == until:
            return Changes(False, self._freed[:0], [], until)
        if since == (self, self._version - 1):
            return Changes(False, self._freed, self._assigned, until)
        codes = [code for code, name in enumerate(self._names) if name is not None]
        return Changes(True, self._freed[:0], codes, until)

    def update(self, size: int, freed: Ints, assigned: Ints, names: Sequence[Any]) -> None:
        """Drop the names of the codes `freed`, then take `names` for the codes `assigned`, all below `size`."""
        self._names += [None] * (size - len(self._names))
        self._freed, self._assigned = freed, assigned.tolist()
        for code in freed.tolist():
            self._names[code] = None
        for code, name in zip(self._assigned, names, strict=True):
            self._names[code] = name
        self._version += 1


class NameCopy:
    """The copy of one table of a partition. Not thread-safe."""

    def __init__(self, rows: int) -> None:
        """`rows` is how many counts a name has."""
        self._as_of = NOTHING
        self._names = CopiedNames()
        self._counts: Array = np.zeros((rows, 0), np.int32)
        self._name_bytes = 0

    @property
    def as_of(self) -> AsOf:
        """How new it is."""
        return self._as_of

    @property
    def held_bytes(self) -> int:
        """About what it takes in memory."""
        return self._name_bytes + int(_CODE_BYTES * self._counts.shape[1] + self._counts.nbytes)

    def popularity(self) -> Popularity:
        """The names and their counts. The next `apply` changes the names."""
        return Popularity(self._names, self._counts)

    def fits(self, changes: NameChanges) -> bool:
        """Whether `apply` makes this the copy of the instant that the changes are of."""
        since, own = changes.since, self._as_of
        if since in (NOTHING, own):
            return True
        return since.is_whole and own.is_whole and since.at_s <= own.at_s <= changes.until.at_s

    def growth_bytes(self, changes: NameChanges) -> int:
        """About what `apply` adds to `held_bytes`, at most."""
        last = int.from_bytes(changes.codes[-4:], "little") if changes.codes else 0
        new_codes = max(0, min(last + 1, MOST_CODES) - int(self._counts.shape[1]))
        return (_CODE_BYTES + 8 * len(self._counts)) * new_codes + sum(map(_size_of, changes.names))

    def apply(self, changes: NameChanges, others: Sequence["NameCopy"] = ()) -> None:
        """Take changes that fit. Raises ValueError, and takes nothing, if they are not what a `NameFeed` makes.

        `others` are of the same dimension, so of nearly all names they have the same objects.
        """
        new = _decoded(changes, len(self._counts))
        is_anew = changes.since == NOTHING
        if not len(new.codes) and not is_anew:
            self._as_of = changes.until
            return
        old = np.zeros((len(self._counts), 0), np.int32) if is_anew else self._counts
        size = old.shape[1]
        before = np.zeros_like(new.counts)
        known = int(np.searchsorted(new.codes, size))
        before[:, :known] = old[:, new.codes[:known]]
        had_counts, has_counts = before.any(axis=0), new.counts.any(axis=0)
        if (has_counts & ~had_counts & ~new.is_named).any():
            raise ValueError("counts without a name")
        if is_anew:
            self._names, self._name_bytes = CopiedNames(), 0
        codes = max(size, 1 + int(new.codes[-1]) if len(new.codes) else 0)
        counts = np.zeros((len(old), codes), _type_of(old, new.counts))
        counts[:, :size] = old
        counts[:, new.codes] = new.counts
        dropped = new.codes[had_counts & (new.is_named | ~has_counts)].tolist()
        self._name_bytes += sum(map(_size_of, new.names)) - sum(_size_of(self._names[code]) for code in dropped)
        freed, assigned = new.codes[had_counts & ~has_counts], new.codes[new.is_named]
        names = [_known(code, name, others) for code, name in zip(assigned.tolist(), new.names, strict=True)]
        self._names.update(counts.shape[1], freed, assigned, names)
        self._counts, self._as_of = counts, changes.until


@dataclass(frozen=True, slots=True)
class _Decoded:
    codes: Ints
    counts: Array
    is_named: Bools
    names: Sequence[Any]


def check_changes(changes: NameChanges, rows: int) -> None:
    """Raise ValueError for changes that no `NameFeed` makes, whatever the copy is like."""
    _decoded(changes, rows)


def _decoded(changes: NameChanges, rows: int) -> _Decoded:
    changes.since.check()
    changes.until.check()
    codes = np.frombuffer(changes.codes, np.uint32).astype(np.int64)
    is_named = np.frombuffer(changes.is_named, np.uint8) != 0
    is_small = len(changes.counts) == 4 * rows * len(codes)
    counts = np.frombuffer(changes.counts, np.int32 if is_small else np.int64).reshape(rows, -1).astype(np.int64)
    if not len(codes) == counts.shape[1] == len(is_named) or np.count_nonzero(is_named) != len(changes.names):
        raise ValueError("changes of different lengths")
    if len(codes) and (codes[-1] >= MOST_CODES or (np.diff(codes) <= 0).any()):
        raise ValueError("codes out of range or order")
    if counts.size and not (counts.min() >= 0 and counts.max() <= GREATEST):
        raise ValueError("counts out of range")
    if not counts[:, is_named].any(axis=0).all():
        raise ValueError("a name without counts")
    return _Decoded(codes, counts, is_named, changes.names)


def _known(code: int, name: Any, copies: Sequence[NameCopy]) -> Any:
    """The name, as the object that a copy has if it has it at this code."""
    for copy in copies:
        names = copy.popularity().names
        if code < len(names) and names[code] == name:
            return names[code]
    return name


def _type_of(old: Array, new: Array) -> type[np.signedinteger[Any]]:
    """32 bits, unless counts have exceeded them."""
    return np.int32 if old.dtype == np.int32 and new.max(initial=0) <= GREATEST_INT32 else np.int64


def _size_of(name: Any) -> int:
    return _NAME_BYTES + (len(name) if isinstance(name, str) else sum(map(_size_of, name)))
