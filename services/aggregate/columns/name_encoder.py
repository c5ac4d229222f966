"""Event fields as codes. Events share most field values, so a whole combination of fields is looked up at once.

Only a new combination is split, and its names are encoded one by one.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, grown
from services.aggregate.columns.batch import NONE, ROW
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import DIMENSIONS, OPEN_DIMENSIONS, Dimension
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.columns.name_codes import OTHER_CODE, NameCodes
from shared.events.limits import shortened

_MAX_COMBINATIONS: Final = 100_000
_MAX_CHARACTERS: Final = 4_000_000  # of all combinations: an event may be long


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

    def __init__(self, group: Sequence[Dimension], names: Dictionaries, goals: Goals = NO_GOALS) -> None:
        super().__init__()
        fields = list(dict.fromkeys(field for dimension in group for field in dimension.source_fields))
        self._fields_of = attrgetter(*fields) if len(fields) > 1 else attrgetter(*fields, *fields)  # always a tuple
        (self._reduce,) = {dimension.reduce for dimension in group}
        self._reduced = None if self._reduce is None else _Reduced(self._reduce)
        self._each_field_of = [attrgetter(field) for field in fields]
        self.columns = [dimension.name for dimension in group]
        self._namers = [_namer(dimension, fields) for dimension in group]
        # The same for as long as the encoder lives.
        self._codes_of: list[NameCodes[Any]] = [names.of(dimension.name).codes for dimension in group]
        self._codes: Array = np.zeros((len(group), 0), np.int32)
        goals_of = {"page": goals.of_page, "event_type": goals.of_event_type} if goals else {}
        self._goals_of = [(at, goals_of[name]) for at, name in enumerate(self.columns) if name in goals_of]
        self._goals: Array = np.zeros(0, np.uint32)
        self._characters = 0

    def __missing__(self, combination: tuple[Any, ...]) -> int:
        place = self[combination] = len(self)
        values = combination
        if self._reduced is not None:
            values = tuple(self._reduced.values_by_number[number] for number in combination)
        self._characters += sum(len(value) for value in values if isinstance(value, str))
        self._codes = grown(self._codes, place + 1)
        names = [name_of(values) for name_of in self._namers]
        self._codes[:, place] = [
            NONE if name is None else codes[name] for name, codes in zip(names, self._codes_of, strict=True)
        ]
        if self._goals_of:
            self._goals = grown(self._goals, place + 1)
            self._goals[place] = sum(goals_of(names[at]) for at, goals_of in self._goals_of if names[at] is not None)
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
        if self._goals_of and len(self._goals):
            rows["goals"] |= self._goals[places]

    def limit(self) -> None:
        """Drop all combinations when there are too many. Names keep their codes; places already returned are void."""
        characters = self._characters + (0 if self._reduced is None else self._reduced.characters)
        if self.entries > _MAX_COMBINATIONS or characters > _MAX_CHARACTERS:
            self.forget()

    def forget(self) -> None:
        """Drop all combinations; places already returned are void."""
        self.clear()
        self._characters = 0
        self._reduced = None if self._reduce is None else _Reduced(self._reduce)


class NameEncoder:
    """Encodes the dimensions of a partition's events, and owns its names."""

    def __init__(self, names: Dictionaries | None = None, goals: Goals = NO_GOALS) -> None:
        self.names = names or Dictionaries()
        self.combinations = _combinations(self.names, goals)

    def forget(self, dimension: str, unused: Ints) -> None:
        """Free the codes `unused` of a dimension for other names. Places that were returned are void.

        The dictionaries are replaced, not changed: another thread may read the old ones with old rows.
        """
        self.names = self.names.without(dimension, unused)
        for group in self.combinations:
            if dimension in group.columns:
                group.forget()

    def counted_as_other(self, rows: Array) -> dict[str, int]:
        """The events whose name did not fit into the limit, by dimension; dimensions without any are absent."""
        events = {
            dimension.name: int(np.count_nonzero(rows[dimension.name] == OTHER_CODE))
            for dimension in OPEN_DIMENSIONS
            if self.names.of(dimension.name).has_refused
        }
        return {dimension: number for dimension, number in events.items() if number}

    def rows(self, places: Sequence[Ints | Sequence[int]], counted: Bools) -> Array:
        """Rows with the dimensions of the counted events; `places` holds those of all events, by group."""
        rows = np.zeros(np.count_nonzero(counted), ROW)  # padding included, which then compresses to nothing
        for group, own in zip(self.combinations, places, strict=True):
            group.fill(rows, np.asarray(own, np.int64)[counted])
        return rows


def _combinations(names: Dictionaries, goals: Goals) -> tuple[Combinations, ...]:
    by_group = groupby(sorted(DIMENSIONS, key=_GROUP), key=_GROUP)
    return tuple(Combinations(list(group), names, goals) for _, group in by_group)


_GROUP: Final = attrgetter("looked_up_with")


def _namer(dimension: Dimension, fields: Sequence[str]) -> Callable[[tuple[Any, ...]], Any]:
    """A function from a combination to the name in one dimension, or None."""
    own = [fields.index(field) for field in dimension.source_fields]
    values_of = itemgetter(*own) if len(own) > 1 else lambda combination: (combination[own[0]],)

    def name_of(combination: tuple[Any, ...]) -> Any:
        name = dimension.encode(*values_of(combination))
        return name if name is None or dimension.max_bytes is None else shortened(name, dimension.max_bytes)

    return name_of
