"""Event fields as codes. Events share most field values, so a whole combination of fields is looked up at once.

Only a new combination is split, and its names are encoded one by one.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, grown
from services.aggregate.columns.batch import NONE, ROW
from services.aggregate.columns.dictionaries import Dictionaries, NewNames
from services.aggregate.columns.dimensions import DIMENSIONS, Dimension
from shared.events.limits import shortened

_MAX_COMBINATIONS: Final = 100_000
_MAX_CHARACTERS: Final = 16_000_000  # of all combinations: an event may be long


class _Reduced(dict[Any, int]):
    """The number of what a field's value is reduced to, by value; looking up a new value reduces it.

    Numbers, because a tuple of them hashes faster than a tuple of what they stand for.
    """

    def __init__(self, reduce: Callable[[Any], Any]) -> None:
        super().__init__()
        self.values_by_number: list[Any] = []
        self.characters = 0
        self._reduce = reduce
        self._numbers: dict[Any, int] = {}

    def __missing__(self, value: Any) -> int:
        self.characters += len(value) if isinstance(value, str) else 0
        reduced = self._reduce(value)
        number = self[value] = self._numbers.setdefault(reduced, len(self._numbers))
        if number == len(self.values_by_number):
            self.values_by_number.append(reduced)
        return number


class Combinations(dict[tuple[Any, ...], int]):
    """The place of each combination of a group's fields; looking up a new one assigns it a place."""

    def __init__(self, group: Sequence[Dimension], names: Dictionaries) -> None:
        super().__init__()
        fields = list(dict.fromkeys(field for dimension in group for field in dimension.source_fields))
        self._fields_of = attrgetter(*fields) if len(fields) > 1 else attrgetter(*fields, *fields)  # always a tuple
        (self._reduce,) = {dimension.reduce for dimension in group}
        self._reduced = None if self._reduce is None else _Reduced(self._reduce)
        self._each_field_of = [attrgetter(field) for field in fields]
        self.columns = [dimension.name for dimension in group]
        self._encoders = [_encoder(dimension, fields, names) for dimension in group]
        self._codes: Array = np.zeros((len(group), 0), np.int32)
        self._characters = 0

    def __missing__(self, combination: tuple[Any, ...]) -> int:
        place = self[combination] = len(self)
        values = combination
        if self._reduced is not None:
            values = tuple(self._reduced.values_by_number[number] for number in combination)
        self._characters += sum(len(value) for value in values if isinstance(value, str))
        self._codes = grown(self._codes, place + 1)
        self._codes[:, place] = [encode(values) for encode in self._encoders]
        return place

    @property
    def entries(self) -> int:
        """The number of combinations, or of values that were reduced for them where those are more."""
        return max(len(self), 0 if self._reduced is None else len(self._reduced))

    def places(self, events: Sequence[Any]) -> list[int]:
        """The place of each event's combination."""
        if self._reduced is None:
            return list(map(self.__getitem__, map(self._fields_of, events)))
        reduced = [map(self._reduced.__getitem__, map(field_of, events)) for field_of in self._each_field_of]
        return list(map(self.__getitem__, zip(*reduced, strict=True)))

    def fill(self, rows: Array, places: Array) -> None:
        """Set the group's columns of rows whose combinations have these places."""
        for column, codes in zip(self.columns, self._codes, strict=True):
            rows[column] = codes[places]

    def limit(self) -> None:
        """Drop all combinations when there are too many. Names keep their codes; places already returned are void."""
        characters = self._characters + (0 if self._reduced is None else self._reduced.characters)
        if self.entries > _MAX_COMBINATIONS or characters > _MAX_CHARACTERS:
            self.clear()
            self._characters = 0
            self._reduced = None if self._reduce is None else _Reduced(self._reduce)


class NameEncoder:
    """Encodes the dimensions of a partition's events, and owns its names."""

    def __init__(self, names: Dictionaries | None = None) -> None:
        self.names = names or Dictionaries()
        self.combinations = _combinations(self.names)

    def learn(self, names: NewNames) -> None:
        """Add names that another process assigned, in its order."""
        self.names.extend(names)

    def forget(self, dimension: str, kept: Bools) -> Ints:
        """Keep only some names of a dimension. Returns the new code of each old one; those of dropped names are void.

        The dictionaries are replaced, not changed: another thread may read the old ones with old rows.
        """
        self.names = self.names.keeping(dimension, kept)
        self.combinations = _combinations(self.names)
        return np.cumsum(kept) - 1

    def rows(self, places: Sequence[Sequence[int]], counted: Bools) -> Array:
        """Rows with the dimensions of the counted events; `places` holds those of all events, by group."""
        rows = np.zeros(np.count_nonzero(counted), ROW)  # padding included, which then compresses to nothing
        for group, own in zip(self.combinations, places, strict=True):
            group.fill(rows, np.array(own, np.int64)[counted])
        return rows


def _combinations(names: Dictionaries) -> tuple[Combinations, ...]:
    by_group = groupby(sorted(DIMENSIONS, key=_GROUP), key=_GROUP)
    return tuple(Combinations(list(group), names) for _, group in by_group)


_GROUP: Final = attrgetter("looked_up_with")


def _encoder(dimension: Dimension, fields: Sequence[str], names: Dictionaries) -> Any:
    """A function from a combination to the code of one dimension; a new name is assigned the next code."""
    own = [fields.index(field) for field in dimension.source_fields]
    values_of = itemgetter(*own) if len(own) > 1 else lambda combination: (combination[own[0]],)
    codes: Mapping[Any, int] = names.of(dimension.name).codes

    def encode(combination: tuple[Any, ...]) -> int:
        name = dimension.encode(*values_of(combination))
        if name is None:
            return NONE
        return codes[name if dimension.max_bytes is None else shortened(name, dimension.max_bytes)]

    return encode
