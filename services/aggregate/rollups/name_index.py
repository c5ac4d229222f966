"""Merges the names of several partitions each second, at a cost that hardly depends on how many there are.

Every partition numbers the names by itself. This remembers, from one publish to the next, which of them are the same,
by their digests, so that merging is adding up arrays. Only names that are new are looked at, and those that are shown.
It is a cache: what it returns depends on its arguments alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Bools, Ints, grown
from services.aggregate.columns.digester import Digester, new_digest_key
from services.aggregate.columns.digests import Digests, DigestTable
from services.aggregate.columns.names import Names
from services.aggregate.rollups.popularity import By, Groups, Popularity

_FEWEST: Final = 4_096
"""Names that nobody uses any more are dropped when there are this many, and more of them than of the others."""

_NOBODY: Final = -1


@dataclass(slots=True)
class _Source:
    """The names of one partition: the place of each."""

    names: Sequence[Any]
    places: Ints


@dataclass(slots=True)
class _KnownGroups:
    names: list[Any] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)
    of: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    is_known: Bools = field(default_factory=lambda: np.empty(0, np.bool_))

    def add(self, group: Any) -> int:
        place = self.places.setdefault(group, len(self.names))
        if place == len(self.names):
            self.names.append(group)
        return place


class NameIndex:
    """The places of the names of one dimension. Not thread-safe."""

    def __init__(self, digester: Digester | None = None) -> None:
        self._digester = digester or Digester(new_digest_key())
        self._sources: list[_Source] = []
        self._groups: dict[By, _KnownGroups] = {}
        self._table = DigestTable()
        self._size = 0  # places in use
        # By place, a source that has the name, and its code there.
        self._source = np.empty(0, np.int32)
        self._code = np.empty(0, np.int32)

    def merged(self, popularities: Sequence[Popularity]) -> Popularity:
        """The sum. Valid until the next call."""
        self._drop_unused(popularities)
        sources = [self._updated(popularity) for popularity in popularities]
        has_changed = len(sources) != len(self._sources) or any(
            one.names is not other.names for one, other in zip(sources, self._sources, strict=True)
        )
        self._sources = sources
        if has_changed:
            self._source[:] = _NOBODY
            for number in range(len(sources)):
                self._tell(number, 0)
        events = np.zeros((2, self._size), np.int64)
        for source, popularity in zip(sources, popularities, strict=True):
            places = source.places[: popularity.events.shape[1]]
            for row, own in zip(events, popularity.events, strict=True):
                row[places] += own
        return _Merged(_Names(self._size, self.name), events, self)

    def name(self, place: int) -> Any:
        """The name at a place."""
        return self._sources[self._source[place]].names[self._code[place]]

    def groups(self, by: By) -> Groups:
        """The groups of all names. Those of the new ones are found, the others are remembered."""
        known = self._groups.setdefault(by, _KnownGroups())
        known.of, known.is_known = grown(known.of, self._size), grown(known.is_known, self._size)
        # A name that no partition has any more has no events either, so its group does not matter.
        new = np.flatnonzero(~known.is_known[: self._size] & (self._source[: self._size] != _NOBODY))
        known.of[new] = [known.add(by(self.name(place))) for place in new.tolist()]
        known.is_known[new] = True
        return Groups(known.names, known.places, known.of[: self._size])

    def _updated(self, popularity: Popularity) -> _Source:
        """The source with the names of `popularity`, and the places of all of them."""
        names, size = popularity.names, popularity.events.shape[1]
        number, source = self._known(names)
        first = len(source.places)
        if first < size:
            digests = _digests(self._digester, names[first:size])
            places = self._placed(digests)
            source.places = np.concatenate((source.places, places))
            if number is not None:
                self._tell(number, first)
        return source

    def _known(self, names: Sequence[Any]) -> tuple[int | None, _Source]:
        """The source with these names, and its number if it had them before."""
        for number, source in enumerate(self._sources):
            if source.names is names:
                return number, source
            kept = names.kept_of(source.names) if isinstance(names, Names) else None
            if kept is not None:
                return None, _Source(names, source.places[np.flatnonzero(kept[: len(source.places)])])
        return None, _Source(names, np.empty(0, np.int64))

    def _placed(self, digests: Digests) -> Ints:
        slots, first_rows = self._table.locate(digests)
        self._table.values[slots[first_rows]] = np.arange(self._size, self._size + len(first_rows), dtype=np.uint32)
        self._size += len(first_rows)
        return self._table.values[slots].astype(np.int64)

    def _tell(self, number: int, first: int) -> None:
        """Take the names of a source, from its code `first` on, for those at their places."""
        places = self._sources[number].places[first:]
        self._source, self._code = grown(self._source, self._size, _NOBODY), grown(self._code, self._size)
        self._source[places] = number
        self._code[places] = np.arange(first, first + len(places))

    def _drop_unused(self, popularities: Iterable[Popularity]) -> None:
        used = sum(popularity.events.shape[1] for popularity in popularities)
        if self._size <= 2 * max(used, _FEWEST):
            return
        is_used = np.zeros(self._size, np.bool_)
        for source in self._sources:
            is_used[source.places] = True
        place = np.cumsum(is_used) - 1
        slots = self._table.used()
        self._table.keep(slots[is_used[self._table.values[slots]]])
        slots = self._table.used()
        self._table.values[slots] = place[self._table.values[slots]]
        for source in self._sources:
            source.places = place[source.places]
        self._source, self._code = self._source[: self._size][is_used], self._code[: self._size][is_used]
        self._groups.clear()  # they are found again, which is rare
        self._size = int(np.count_nonzero(is_used))


class _Names(Sequence[Any]):
    """The names by place, each looked up when it is asked for."""

    def __init__(self, size: int, name: Callable[[int], Any]) -> None:
        self._size = size
        self._name = name

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, slice):
            return [self._name(place) for place in range(*places.indices(self._size))]
        return self._name(places)


@dataclass(frozen=True, slots=True)
class _Merged(Popularity):
    index: NameIndex

    def groups(self, by: By) -> Groups:
        return self.index.groups(by)


def _digests(digester: Digester, names: Sequence[Any]) -> Digests:
    texts = names if isinstance(names[0], str) else map(_text_of, names)
    return digester.digests(digester.hashes(texts))


def _text_of(parts: Sequence[str]) -> str:
    """A text for a name of several parts, another one for every other name."""
    return f"{[len(part) for part in parts]}{''.join(parts)}"
