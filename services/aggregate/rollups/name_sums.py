"""The sums of one table of names over several partitions: each second only what changed is withdrawn and added."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, grown
from services.aggregate.rollups.name_changes import GREATEST_INT32
from services.aggregate.rollups.popularity import By, Result


class Part(NamedTuple):
    """What a partition contributes: its counts by row and code, and the place of each code that has any.

    The next contribution of the same `owner` replaces it. The arrays are never changed in place.
    """

    owner: object
    places: Array
    counts: Array


class _Added(NamedTuple):
    """What was added to the sums."""

    places: Ints
    counts: Array


@dataclass(slots=True)
class _OfGroups:
    """The sums of groups."""

    counts: Array
    version: int = -1  # of the sums that `counts` are of


class NameSums:
    """Sums by row and place, in 32 bits unless all of them together exceed that. Not thread-safe."""

    def __init__(self, rows: int) -> None:
        self.counts: Array = np.zeros((rows, 1), np.int32)
        """By row and place; there may be more places than names."""
        self._total = 0.0  # of all counts, so that no sum of some of them is greater; exact until it exceeds 32 bits
        self._parts: list[Part] = []
        self._groups: dict[By, _OfGroups] = {}
        self._version = 0  # of the sums
        self._changed = 0  # the version that changed them last
        self._remembered: dict[Hashable, tuple[int, Any]] = {}  # by key, with the version that it is of
        self._added: list[_Added] = []  # since the version before, for the groups

    @property
    def rows(self) -> int:
        """How many counts a name has."""
        return len(self.counts)

    def update(self, parts: Sequence[Part], places: int) -> None:
        """Replace the parts of the last call by these, which are of places below `places`."""
        self.counts = grown(self.counts, places)
        self._version += 1
        self._added = []
        left, self._parts = self._parts, list(parts)
        for part in parts:
            before = next((own for own in left if own.owner is part.owner), None)
            left = [own for own in left if own is not before]
            self._replace(before, part)
        for part in left:
            self._replace(part, None)

    def remembered(self, key: Hashable, computed: Callable[[], Result]) -> Result:
        """What is `computed` from the sums, or was for the same `key` if they have not changed since."""
        version, result = self._remembered.get(key, (-1, None))
        if version != self._changed:
            result = computed()
            self._remembered[key] = self._changed, result
        remembered: Result = result  # what was computed for this key
        return remembered

    def of_groups(self, by: By, of: Array, groups: int) -> Array:
        """The sums of groups: `of` has the group of each place, of which there are so many."""
        own = self._groups.setdefault(by, _OfGroups(np.zeros((self.rows, 1), self.counts.dtype)))
        if own.counts.dtype != self.counts.dtype:
            own.counts = own.counts.astype(self.counts.dtype)
        own.counts = grown(own.counts, groups)
        if own.version == self._version - 1:
            added = self._added
        elif own.version == self._version:
            added = []
        else:
            own.counts[:] = 0
            added = [_Added(np.arange(1, len(of)), self.counts[:, 1 : len(of)])]
        for places, counts in added:
            _add(own.counts, of[places], counts)
        own.version = self._version
        return own.counts[:, :groups]

    def places(self) -> list[Array]:
        """The places of the parts."""
        return [part.places for part in self._parts]

    def keep(self, is_kept: Bools, moved: Mapping[int, Array]) -> None:
        """Drop the sums of the other places, which have none. `moved` has the parts' places after that, by id."""
        self.counts = self.counts[:, : len(is_kept)].compress(is_kept, axis=1)
        self._parts = [part._replace(places=moved[id(part.places)]) for part in self._parts]
        self._groups.clear()

    def _replace(self, before: Part | None, part: Part | None) -> None:
        if before is None or part is None:
            only = before or part
            assert only is not None
            codes = np.flatnonzero(only.counts.any(axis=0))
            counts = only.counts[:, codes]
            self._add(_at(only.places, codes), counts if before is None else -counts)
            return
        codes = _changed(before, part)
        old_places, places = _at(before.places, codes), _at(part.places, codes)
        old, new = _at(before.counts, codes), _at(part.counts, codes)
        if (old_places == places).all():
            self._add(places, new - old)
        else:
            self._add(old_places, -old)
            self._add(places, new)

    def _add(self, places: Array, counts: Array) -> None:
        if not len(places):
            return
        self._total += float(counts.sum(dtype=np.float64))
        if self._total > GREATEST_INT32 and self.counts.dtype != np.int64:
            self.counts = self.counts.astype(np.int64)
        _add(self.counts, places, counts)
        self._changed = self._version
        if self._groups:
            self._added.append(_Added(places, counts))


def _changed(before: Part, part: Part) -> Ints:
    """The codes whose counts differ, and those with counts whose places do."""
    is_changed = np.zeros(max(before.counts.shape[1], part.counts.shape[1]), np.bool_)
    if part.places is not before.places:
        known = min(len(is_changed), len(before.places), len(part.places))
        np.not_equal(before.places[:known], part.places[:known], out=is_changed[:known])
        is_changed[known:] = True
    if part.counts is not before.counts:
        common, longer = sorted((before.counts, part.counts), key=lambda counts: counts.shape[1])
        known = common.shape[1]
        for row, other in zip(common, longer, strict=True):
            is_changed[:known] |= row != other[:known]
            is_changed[known : len(other)] |= other[known:] != 0
    return np.flatnonzero(is_changed)


def _at(values: Array, codes: Ints) -> Array:
    """The values of these codes along the last axis, in their order, which is ascending; 0 where there is none."""
    known = int(np.searchsorted(codes, values.shape[-1]))
    if known == len(codes):
        return values[..., codes]
    found = np.zeros((*values.shape[:-1], len(codes)), values.dtype)
    found[..., :known] = values[..., codes[:known]]
    return found


def _add(sums: Array, places: Array, counts: Array) -> None:
    """Add to the sums; a place may occur several times."""
    at = places.astype(np.int64)
    for row, own in zip(sums, counts, strict=True):
        if own.any():  # rows without anything stay unwritten, see `arrays.zeros`
            np.add.at(row, at, own.astype(row.dtype))  # a number of another type takes numpy's slow path
