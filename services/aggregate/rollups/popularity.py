"""Names with the events of the trailing hour, and the groups that they form: a product is a group of its variants."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.aggregate.columns.arrays import Ints

By = Callable[[Any], Hashable]
"""The group of a name. The same function for the same groups: they are remembered by it."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of names: in order of their places, their places, and the place of each name's group."""

    names: Sequence[Any]
    places: Mapping[Any, int]
    of: Ints


@dataclass(frozen=True, slots=True)
class Popularity:
    """Names with the events of the trailing hour; `events` has a row HUMAN and a row BOT, a column per name.

    There may be more names than columns: names are added while this is read.
    """

    names: Sequence[Any]
    events: Ints

    def groups(self, by: By) -> Groups:
        """The groups of the names."""
        places: dict[Any, int] = {}
        of = [places.setdefault(by(name), len(places)) for name in self.names[: self.events.shape[1]]]
        return Groups(list(places), places, np.array(of, np.int64))

    def grouped(self, by: By) -> "Popularity":
        """The events of each group."""
        groups = self.groups(by)
        size = len(groups.names)
        rows = [np.bincount(groups.of, row, size)[:size].astype(np.int64) for row in self.events]
        return Popularity(groups.names, np.stack(rows))

    def without_zeros(self) -> "Popularity":
        """Only the names with events."""
        shown = np.flatnonzero(self.events.any(axis=0))
        return Popularity([self.names[place] for place in shown.tolist()], self.events[:, shown])
