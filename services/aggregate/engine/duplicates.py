"""Duplicates: an event whose eventId arrived within the hour before it is counted once.

The ids are kept in generations, tables that are filled one after another. One is given up as a whole when the hour has
gone over its last id, so that none is ever rebuilt: among millions of ids that takes seconds, in which nothing is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.digests import Digests, DigestTable, as_bools
from services.aggregate.engine.recent import MINUTE_SECONDS

REMEMBERED_SECONDS: Final = 3600
_LEAST_ROOM: Final = 16_384  # ids of a generation
_SPAN_SECONDS: Final = 600
"""A generation is made for the ids of such a time: were it less, each id would be looked for in more tables; were it
more, more ids would be kept past their hour."""


@dataclass(slots=True)
class _Generation:
    """Ids and the second each first arrived."""

    first_arrival: DigestTable
    began_s: int
    last_s: int = 0  # none of the ids arrived later; known when no more are added


class SeenIds:
    """The digests of the eventIds that arrived within the hour, with the second each first did.

    Arrival is the record's append time, so that a replay of the log finds the same duplicates. Where the log's clock
    goes back, arrival stands still: `latest_arrival_s` is that of all records so far, with or without an id.
    """

    def __init__(self) -> None:
        self._older: list[_Generation] = []
        self._newest = _Generation(DigestTable(_LEAST_ROOM), began_s=0)
        self.latest_arrival_s = 0
        # By minute of arrival, of the minutes not saved yet and the newest: the others do not change any more.
        self._ids_by_minute: dict[int, list[tuple[Digests, Ints]]] = {}
        self._unsaved_minutes: set[int] = set()

    def __len__(self) -> int:
        """How many ids are kept, those included whose hour is over."""
        return sum(len(generation.first_arrival) for generation in (*self._older, self._newest))

    def arrivals(self, arrival_s: Ints) -> Ints:
        """The seconds that records in log order count as arrived at, which follow those asked about before."""
        arrivals: Ints = np.maximum(np.maximum.accumulate(arrival_s), self.latest_arrival_s)
        self.latest_arrival_s = int(arrivals.max(initial=self.latest_arrival_s))
        return arrivals

    def accept(self, digests: Digests, arrival_s: Ints) -> Bools:
        """Which ids, in log order, are no duplicates; they are remembered. `arrival_s` is of `arrivals`."""
        self._move_on(len(digests), arrival_s)
        accepted = np.ones(len(digests), np.bool_)
        for generation in self._older:
            rows, slot = generation.first_arrival.find(digests)
            accepted[rows[arrival_s[rows] - generation.first_arrival.values[slot] < REMEMBERED_SECONDS]] = False
        accepted[accepted] = self._accept_by_newest(digests[accepted], arrival_s[accepted])
        self._note(digests[accepted], arrival_s[accepted])
        return accepted

    def _accept_by_newest(self, digests: Digests, arrival_s: Ints) -> Bools:
        """Which are no duplicates of each other or of those in the newest generation, where they are remembered."""
        slot, first = self._newest.first_arrival.locate(digests)
        first_s = self._newest.first_arrival.values
        first_s[slot[first]] = arrival_s[first]
        accepted = as_bools(first, len(digests))
        over = ~accepted & (arrival_s - first_s[slot] >= REMEMBERED_SECONDS)
        for place in np.flatnonzero(over).tolist():  # one by one: the same id may come again in one batch
            if arrival_s[place] - int(first_s[slot[place]]) >= REMEMBERED_SECONDS:
                accepted[place] = True
                first_s[slot[place]] = arrival_s[place]
        return accepted

    def remember(self, digests: Digests, arrival_s: Ints) -> None:
        """Take over ids that were accepted, in log order."""
        self.latest_arrival_s = int(arrival_s.max(initial=self.latest_arrival_s))
        self._move_on(len(digests), arrival_s)
        slot, _ = self._newest.first_arrival.locate(digests)
        self._newest.first_arrival.values[slot] = arrival_s  # of an id accepted twice the later
        self._note(digests, arrival_s)

    def _note(self, digests: Digests, arrival_s: Ints) -> None:
        """Have ids saved the next time."""
        minute = arrival_s // MINUTE_SECONDS
        starts = run_starts(minute).tolist()
        for start, end in pairwise([*starts, len(minute)]):
            number = int(minute[start])
            self._ids_by_minute.setdefault(number, []).append((digests[start:end], arrival_s[start:end]))
            self._unsaved_minutes.add(number)

    def _move_on(self, newcomers: int, arrival_s: Ints) -> None:
        """Give up the generations whose hour is over, and have room for so many more in the newest."""
        # To the first of the newcomers an id may matter that to the last of them does not. None here arrived later.
        first_s = int(arrival_s.min(initial=self.latest_arrival_s))
        self._older = [generation for generation in self._older if first_s - generation.last_s < REMEMBERED_SECONDS]
        full = self._newest
        if full.first_arrival.is_full_for(newcomers):
            full.last_s = first_s
            expected = len(full.first_arrival) * _SPAN_SECONDS // max(1, full.last_s - full.began_s)
            # The last ones may have come in one burst: the room at most doubles.
            room = max(_LEAST_ROOM, newcomers, min(expected, len(self)))
            self._older.append(full)
            self._newest = _Generation(DigestTable(room), began_s=first_s)

    def oldest_minute(self) -> int:
        """The first minute of arrival whose ids matter."""
        return (self.latest_arrival_s - REMEMBERED_SECONDS + 1) // MINUTE_SECONDS

    def save(self) -> dict[int, dict[str, Array]]:
        """The ids that first arrived in each minute of the hour that has changed since `saved`, for `load`."""
        saved = {}
        for minute in sorted(minute for minute in self._unsaved_minutes if minute >= self.oldest_minute()):
            digests, arrival_s = zip(*self._ids_by_minute[minute], strict=True)
            saved[minute] = {
                "digests": np.concatenate(digests),
                "arrival_s": np.concatenate(arrival_s).astype(np.uint32),
            }
        return saved

    def saved(self) -> None:
        """Note that what `save` gave is kept."""
        running = self.latest_arrival_s // MINUTE_SECONDS
        self._ids_by_minute = {minute: ids for minute, ids in self._ids_by_minute.items() if minute == running}
        self._unsaved_minutes.clear()

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave of a minute. Minutes are to be loaded in order."""
        self.remember(saved["digests"], saved["arrival_s"].astype(np.int64))
        self.saved()
