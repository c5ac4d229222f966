"""Names with the events of the trailing hour, and the groups that they form: a product is a group of its variants."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from services.aggregate.columns.arrays import Array, Ints
from services.aggregate.rollups.name_order import NameOrder
from shared.rollups.model import Audience

By = Callable[[Any], Hashable]
"""The group of a name. The same function for the same groups: they are remembered by it."""

Result = TypeVar("Result")


def of_audience(events: Array, audience: Audience) -> Array:
    """The events of an audience, from a row HUMAN and a row BOT."""
    human, bot = events
    own: dict[Audience, Array] = {"human": human, "bot": bot}
    return own[audience] if audience in own else human + bot


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of names: in order of their places, and the place of each name's group."""

    names: Sequence[Any]
    find: Callable[[Sequence[Any]], Ints]
    """The places of those of some names that are groups."""
    of: Array


@dataclass(frozen=True, slots=True)
class Popularity:
    """Names with the events of the trailing hour; `events` has a row HUMAN and a row BOT, a column per name.

    There may be more names than columns: names are added while this is read. At a free code, which has no events, the
    name is None.
    """

    names: Sequence[Any]
    events: Array

    @property
    def order(self) -> NameOrder | None:
        """The order of the names, if it is kept."""
        return None

    def remembered(self, key: Hashable, computed: Callable[[], Result]) -> Result:  # noqa: ARG002 - where nothing is
        """What is `computed` from this, or was for the same `key` if this has not changed since."""
        return computed()

    def groups(self, by: By) -> Groups:
        """The groups of the names."""
        places: dict[Any, int] = {}
        names = self.names[: self.events.shape[1]]
        of = [0 if name is None else places.setdefault(by(name), len(places)) for name in names]

        def find(names: Sequence[Any]) -> Ints:
            return np.array([places[name] for name in names if name in places], np.int64)

        return Groups(list(places), find, np.array(of, np.int64))

    def grouped(self, by: By) -> "Popularity":
        """The events of each group."""
        groups = self.groups(by)
        size = len(groups.names)
        rows = [np.bincount(groups.of, row, size)[:size].astype(np.int64) for row in self.events]
        return Popularity(groups.names, np.stack(rows))
