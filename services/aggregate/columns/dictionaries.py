"""The names of one partition that rows refer to by code, for each dimension."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import msgspec

from services.aggregate.columns.arrays import Bools
from services.aggregate.columns.dimensions import DIMENSIONS, OPEN_DIMENSIONS
from services.aggregate.columns.names import Names

NewNames = Mapping[str, list[Any]]
"""Names in order of their codes, by open dimension; those without any are absent."""

_NO_NAMES: NewNames = {}
_LIST_TYPES: Final[Mapping[str, Any]] = {
    dimension.name: list.__class_getitem__(dimension.name_type) for dimension in OPEN_DIMENSIONS
}


class Dictionaries:
    """The names of each dimension. Another thread may read them while names are added."""

    def __init__(self, names: NewNames = _NO_NAMES) -> None:
        """`names` are those of a saved state."""
        self._names = {
            dimension.name: Names[Any](dimension.values or names.get(dimension.name, ())) for dimension in DIMENSIONS
        }

    def of(self, dimension: str) -> Names[Any]:
        """The names of a dimension."""
        return self._names[dimension]

    def sizes(self) -> dict[str, int]:
        """The number of names of each open dimension, for `since`."""
        return {dimension.name: len(self._names[dimension.name]) for dimension in OPEN_DIMENSIONS}

    def since(self, sizes: Mapping[str, int]) -> NewNames:
        """The names that were added after there were `sizes` of them."""
        added = {name: list(self._names[name].since(size)) for name, size in sizes.items()}
        return {name: names for name, names in added.items() if names}

    def extend(self, new: NewNames) -> None:
        """Add names in the order they were added elsewhere; known ones change nothing."""
        for name, names in new.items():
            self._names[name].extend(names)

    def save(self) -> NewNames:
        """All names of the open dimensions."""
        return self.since(dict.fromkeys(self.sizes(), 0))

    def keeping(self, dimension: str, kept: Bools) -> Self:
        """These dictionaries with only the `kept` names of a dimension, recoded in the same order."""
        other = type(self)()
        other._names = {**self._names, dimension: self._names[dimension].kept(kept)}  # noqa: SLF001 - our own
        return other


def restored(saved: Mapping[str, Iterable[Any]]) -> NewNames:
    """Names as they were before msgpack, which knows no named tuples. Raises msgspec.ValidationError and KeyError."""
    return {name: msgspec.convert(names, _LIST_TYPES[name]) for name, names in saved.items()}
