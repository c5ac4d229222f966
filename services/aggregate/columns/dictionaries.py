"""The names of one partition that rows refer to by code, for each dimension."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.dimensions import DIMENSIONS, OPEN_DIMENSIONS
from services.aggregate.columns.names import Mark, Names

SavedNames = Mapping[str, Sequence[Any]]
"""All names by open dimension, in order of their codes; None where a code is free."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Codes, and the name that each was given."""

    codes: Sequence[int]
    names: Sequence[Any]


NewNames = Mapping[str, Assigned]
"""Names that are new, by open dimension; dimensions without any are absent."""

_NO_NAMES: SavedNames = {}
_LIST_TYPES: Final[Mapping[str, Any]] = {
    dimension.name: list.__class_getitem__(dimension.name_type | None) for dimension in DIMENSIONS
}


class Dictionaries:
    """The names of each dimension. Another thread may read them while names are added."""

    def __init__(self, names: SavedNames = _NO_NAMES) -> None:
        """`names` are those of a saved state."""
        self._names = {
            dimension.name: Names[Any](dimension.values or names.get(dimension.name, ()), dimension.other)
            for dimension in DIMENSIONS
        }

    def limit(self, most: int) -> None:
        """Know at most so many names of each open dimension."""
        for dimension in OPEN_DIMENSIONS:
            self._names[dimension.name].limit(most)

    def of(self, dimension: str) -> Names[Any]:
        """The names of a dimension."""
        return self._names[dimension]

    def marks(self) -> dict[str, Mark]:
        """The state of each open dimension now, for `since`."""
        return {dimension.name: self._names[dimension.name].mark() for dimension in OPEN_DIMENSIONS}

    def since(self, marks: Mapping[str, Mark]) -> NewNames:
        """The names that were assigned since `marks`, which have to be of these dictionaries."""
        new: dict[str, Assigned] = {}
        for dimension, mark in marks.items():
            names = self._names[dimension]
            codes = names.changes(mark).assigned
            if codes:
                new[dimension] = Assigned(codes, [names[code] for code in codes])
        return new

    def assign(self, new: NewNames) -> None:
        """Repeat assignments. `settle` has to follow before the next name. Raises ValueError and KeyError."""
        for dimension, assigned in new.items():
            for code, name in zip(assigned.codes, assigned.names, strict=True):
                self._names[dimension].assign(code, name)

    def settle(self) -> None:
        """Free every code without a name."""
        for dimension in OPEN_DIMENSIONS:
            self._names[dimension.name].settle()

    def without(self, dimension: str, unused: Ints) -> Self:
        """These dictionaries, with the codes `unused` of a dimension free. They take over `Names.codes`."""
        other = type(self)()
        other._names = {**self._names, dimension: self._names[dimension].without(unused)}  # noqa: SLF001 - our own
        return other


def restored(saved: Mapping[str, Iterable[Any]]) -> dict[str, list[Any]]:
    """Names as they were before msgpack, which knows no named tuples. Raises msgspec.ValidationError and KeyError."""
    return {name: msgspec.convert(names, _LIST_TYPES[name]) for name, names in saved.items()}
