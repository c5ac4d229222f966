"""Merges the names of several partitions each second, at a cost that hardly depends on how many there are.

Every partition numbers the names by itself. This remembers, from one publish to the next, which of them are the same,
by their digests. The tables of a dimension share that, and each remembers its sums. So each second only what changed is
added up, and only new names are looked at. It is a cache: what it returns depends on its arguments alone.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, grown
from services.aggregate.columns.digester import Digester, new_digest_key
from services.aggregate.columns.names import Changes, Names
from services.aggregate.rollups.name_copy import CopiedNames
from services.aggregate.rollups.name_order import NameOrder
from services.aggregate.rollups.name_places import NOBODY, NamePlaces
from services.aggregate.rollups.name_sums import NameSums, Part
from services.aggregate.rollups.popularity import By, Groups, Popularity, Result

_FEWEST: Final = 4_096
"""Names that nobody uses any more are dropped when there are this many, and more of them than of the others."""


@dataclass(slots=True)
class _Source:
    """The names of one partition."""

    names: Sequence[Any]
    mark: Any = None
    """The state of `names` that `places` are of."""
    places: Array = field(default_factory=lambda: np.empty(0, np.int32))
    """By code. Never changed in place: tables compare it with the next one."""


class _Groups:
    """The groups that one function forms."""

    def __init__(self, digester: Digester) -> None:
        self.places = NamePlaces(digester)
        self.of: Array = np.zeros(1, np.int32)  # by place of the name
        self.size = 1  # of `of`, without what is reserved


class NameIndex:
    """The names of one dimension by their places, and the sums of its tables. Not thread-safe."""

    def __init__(self, digester: Digester | None = None) -> None:
        self._digester = digester or Digester(new_digest_key())
        self._sources: list[_Source] = []
        self._groups: dict[By, _Groups] = {}
        self._places = NamePlaces(self._digester)
        self._sums: dict[str, NameSums] = {}  # by table

    def merged(self, tables: Mapping[str, Sequence[Popularity]]) -> dict[str, Popularity]:
        """The sum of each table, whose parts are of the same partitions as those of the others. Valid until the next
        call.
        """
        self._drop_unused(tables.values())
        left, self._sources = self._sources, []
        for popularities in tables.values():
            for popularity in popularities:
                if not any(source.names is popularity.names for source in self._sources):
                    source = _known(left, popularity.names) or _Source(popularity.names)
                    left = [other for other in left if other is not source]
                    self._follow(source, popularity.names)
                    self._sources.append(source)
        return {key: self._merged(key, popularities) for key, popularities in tables.items()}

    def _merged(self, key: str, popularities: Sequence[Popularity]) -> Popularity:
        rows = len(popularities[0].events)
        sums = self._sums.get(key)
        if sums is None or sums.rows != rows:
            sums = self._sums[key] = NameSums(rows)
        sources = [self._source_of(popularity.names) for popularity in popularities]
        parts = [
            Part(source, source.places, popularity.events)
            for source, popularity in zip(sources, popularities, strict=True)
        ]
        names = self._places.names
        sums.update(parts, len(names))
        return _Merged(names, sums.counts[:, : len(names)], self, sums, self._places.order)

    def _source_of(self, names: Sequence[Any]) -> _Source:
        return next(source for source in self._sources if source.names is names)

    def groups(self, by: By) -> Groups:
        """The groups of all names. Those of the new ones are found, the others are remembered."""
        known = self._known_groups(by)
        return Groups(known.places.names, known.places.find, known.of[: known.size])

    def grouped(self, by: By, sums: NameSums) -> Popularity:
        """The sums of the groups. Valid until the next `merged`."""
        known = self._known_groups(by)
        names = known.places.names
        counts = sums.of_groups(by, known.of[: known.size], len(names))
        return _Remembering(names, counts, self, sums, known.places.order, by)

    def _known_groups(self, by: By) -> _Groups:
        known = self._groups.get(by)
        if known is None:
            known = self._groups[by] = _Groups(self._digester)
        new = self._places.names[known.size :]
        known.of = grown(known.of, known.size + len(new))
        known.of[known.size : known.size + len(new)] = known.places.placed(list(map(by, new)))
        known.size += len(new)
        return known

    def _follow(self, source: _Source, names: Sequence[Any]) -> None:
        """Bring a source up to date with its names."""
        changes = _changes(names, source.mark)
        source.names, source.mark = names, changes.until
        if not (changes.is_whole or len(changes.freed) or changes.assigned):
            return
        known = source.places[: 0 if changes.is_whole else None]
        assigned = np.array(changes.assigned, np.int64)
        places = np.full(max(len(known), int(assigned.max(initial=-1)) + 1), NOBODY, np.int32)
        places[: len(known)] = known
        places[changes.freed[changes.freed < len(known)]] = NOBODY
        places[assigned] = self._places.placed([names[code] for code in changes.assigned])
        source.places = places

    def _drop_unused(self, tables: Iterable[Sequence[Popularity]]) -> None:
        sizes = {id(popularity.names): len(popularity.names) for own in tables for popularity in own}
        if len(self._places.names) <= 2 * max(sum(sizes.values()), _FEWEST):
            return
        arrays = [source.places for source in self._sources]
        arrays += [places for sums in self._sums.values() for places in sums.places()]
        is_used = np.zeros(len(self._places.names), np.bool_)
        is_used[NOBODY] = True
        for places in arrays:
            is_used[places] = True
        place = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
        self._places.keep(is_used, place)
        moved = {id(places): place[places] for places in arrays}  # which the tables share
        for source in self._sources:
            source.places = moved[id(source.places)]
        for sums in self._sums.values():
            sums.keep(is_used, moved)
        self._groups.clear()  # they are found again, which is rare


@dataclass(frozen=True, slots=True)
class _Remembering(Popularity):
    index: NameIndex
    sums: NameSums
    kept_order: NameOrder
    by: By | None = None
    """What it is grouped by."""

    @property
    def order(self) -> NameOrder:
        return self.kept_order

    def remembered(self, key: Hashable, computed: Callable[[], Result]) -> Result:
        return self.sums.remembered((self.by, key), computed)


class _Merged(_Remembering):
    __slots__ = ()

    def groups(self, by: By) -> Groups:
        return self.index.groups(by)

    def grouped(self, by: By) -> Popularity:
        return self.index.grouped(by, self.sums)


def _known(sources: Iterable[_Source], names: Sequence[Any]) -> _Source | None:
    """The source with these names, else the one whose names these continue."""
    for source in sources:
        if source.names is names or (isinstance(names, Names) and names.continues(source.names)):
            return source
    return None


def _changes(names: Sequence[Any], since: Any) -> Changes:
    if isinstance(names, Names | CopiedNames):
        return names.changes(since)
    codes = [code for code, name in enumerate(names) if name is not None]
    return Changes(True, np.empty(0, np.int64), codes, None)  # type: ignore[arg-type]
