"""Duplicates: of the events with one eventId within an hour of arrival, only the first counts.

The ids are kept in generations, tables that are filled one after another. A generation is dropped as a whole once its
last id is an hour old, so tables are never rebuilt: rebuilding millions of ids stops reading for seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.digests import Digests, DigestTable, as_bools
from shared.events.time_units import MINUTE_SECONDS

REMEMBERED_SECONDS: Final = 3600
_MIN_CAPACITY: Final = 16_384  # ids of a generation
_SPAN_SECONDS: Final = 600
"""A generation is sized for the ids of this span. A shorter span means more tables to search for each id, a longer one
more ids that are kept past their hour."""


@dataclass(slots=True)
class _Generation:
    """Ids and the second each first arrived."""

    first_arrival: DigestTable
    started_s: int
    last_s: int = 0  # none of the ids arrived later; set when the generation is full


class SeenIds:
    """The digests of the eventIds that arrived within the hour, with the second of their first arrival.

    Arrival is the record's append time, so a replay of the log finds the same duplicates. While the log's clock is
    behind, arrival stays at `latest_arrival_s`, the latest of all records so far, with or without an id.
    """

    def __init__(self, min_capacity: int = _MIN_CAPACITY) -> None:
        """A generation has space for `min_capacity` ids."""
        self._min_capacity = min_capacity
        self._older: list[_Generation] = []
        self._newest = _Generation(DigestTable(min_capacity), started_s=0)
        self.latest_arrival_s = 0
        # By minute of arrival: the unsaved minutes and the newest. The others no longer change.
        self._ids_by_minute: dict[int, list[tuple[Digests, Ints]]] = {}
        self._unsaved_minutes: set[int] = set()

    def __len__(self) -> int:
        """The number of ids kept, expired ones included."""
        return sum(len(generation.first_arrival) for generation in (*self._older, self._newest))

    def arrivals(self, arrival_s: Ints) -> Ints:
        """The second of arrival of each record, in log order; the records follow those of the call before."""
        arrivals: Ints = np.maximum(np.maximum.accumulate(arrival_s), self.latest_arrival_s)
        self.reach(int(arrivals.max(initial=0)))
        return arrivals

    def reach(self, arrival_s: int) -> None:
        """Record that arrival has reached this second; it never moves back."""
        self.latest_arrival_s = max(self.latest_arrival_s, arrival_s)

    def accept(self, digests: Digests, arrival_s: Ints) -> Bools:
        """Remember ids in log order. Returns which are not duplicates. `arrival_s` is from `arrivals`."""
        self._rotate(len(digests), arrival_s)
        accepted = np.ones(len(digests), np.bool_)
        for generation in self._older:
            rows, slot = generation.first_arrival.find(digests)
            accepted[rows[arrival_s[rows] - generation.first_arrival.values[slot] < REMEMBERED_SECONDS]] = False
        accepted[accepted] = self._accept_by_newest(digests[accepted], arrival_s[accepted])
        self._note(digests[accepted], arrival_s[accepted])
        return accepted

    def _accept_by_newest(self, digests: Digests, arrival_s: Ints) -> Bools:
        """Which ids are not duplicates of each other or of the newest generation, where they are remembered."""
        slot, first = self._newest.first_arrival.locate(digests)
        first_s = self._newest.first_arrival.values
        first_s[slot[first]] = arrival_s[first]
        accepted = as_bools(first, len(digests))
        expired = ~accepted & (arrival_s - first_s[slot] >= REMEMBERED_SECONDS)
        for place in np.flatnonzero(expired).tolist():  # one by one: an id may repeat within the batch
            if arrival_s[place] - int(first_s[slot[place]]) >= REMEMBERED_SECONDS:
                accepted[place] = True
                first_s[slot[place]] = arrival_s[place]
        return accepted

    def remember(self, digests: Digests, arrival_s: Ints) -> None:
        """Add ids that were accepted by an earlier process, in log order."""
        self.reach(int(arrival_s.max(initial=0)))
        self._rotate(len(digests), arrival_s)
        slot, _ = self._newest.first_arrival.locate(digests)
        self._newest.first_arrival.values[slot] = arrival_s  # the later one of an id accepted twice
        self._note(digests, arrival_s)

    def _note(self, digests: Digests, arrival_s: Ints) -> None:
        """Queue ids for the next `save`."""
        minute = arrival_s // MINUTE_SECONDS
        starts = run_starts(minute).tolist()
        for start, end in pairwise([*starts, len(minute)]):
            number = int(minute[start])
            self._ids_by_minute.setdefault(number, []).append((digests[start:end], arrival_s[start:end]))
            self._unsaved_minutes.add(number)

    def _rotate(self, newcomers: int, arrival_s: Ints) -> None:
        """Drop expired generations, and start a new one when the newest cannot take `newcomers` more."""
        # An id can matter to the first of the newcomers and not to the last. No known id arrived later than these.
        first_s = int(arrival_s.min(initial=self.latest_arrival_s))
        self._older = [generation for generation in self._older if first_s - generation.last_s < REMEMBERED_SECONDS]
        full = self._newest
        if full.first_arrival.is_full_for(newcomers):
            full.last_s = first_s
            expected = len(full.first_arrival) * _SPAN_SECONDS // max(1, full.last_s - full.started_s)
            # The last ids may have arrived in one burst: capacity at most doubles.
            capacity = max(self._min_capacity, newcomers, min(expected, len(self)))
            self._older.append(full)
            self._newest = _Generation(DigestTable(capacity), started_s=first_s)

    def oldest_minute(self) -> int:
        """The first minute of arrival whose ids matter."""
        return (self.latest_arrival_s - REMEMBERED_SECONDS + 1) // MINUTE_SECONDS

    def save(self) -> dict[int, dict[str, Array]]:
        """The ids that first arrived in each minute of the hour that changed since `saved`, for `load`."""
        saved = {}
        for minute in sorted(minute for minute in self._unsaved_minutes if minute >= self.oldest_minute()):
            digests, arrival_s = zip(*self._ids_by_minute[minute], strict=True)
            saved[minute] = {
                "digests": np.concatenate(digests),
                "arrival_s": np.concatenate(arrival_s).astype(np.uint32),
            }
        return saved

    def saved(self) -> None:
        """Mark what `save` returned as saved."""
        running = self.latest_arrival_s // MINUTE_SECONDS
        self._ids_by_minute = {minute: ids for minute, ids in self._ids_by_minute.items() if minute == running}
        self._unsaved_minutes.clear()

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned of a minute. Minutes are loaded in order."""
        self.remember(saved["digests"], saved["arrival_s"].astype(np.int64))
        self.saved()
