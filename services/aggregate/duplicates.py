"""Duplicates: an event whose eventId arrived within the hour before it is counted once."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from services.aggregate.arrays import Array, Bools, Ints
from services.aggregate.digests import Digests, DigestTable, as_bools
from services.aggregate.recent import MINUTE_SECONDS

REMEMBERED_SECONDS: Final = 3600


class SeenIds:
    """The digests of the eventIds that arrived within the hour, with the second each first did.

    Arrival is the record's append time, so that a replay of the log finds the same duplicates. Where the log's clock
    goes back, arrival stands still.
    """

    def __init__(self) -> None:
        self._first_arrival = DigestTable()
        self._latest_s = 0
        self.unsaved_minutes: set[int] = set()  # of arrival

    def arrivals(self, arrival_s: Ints) -> Ints:
        """The seconds that records in log order count as arrived at."""
        return np.maximum(np.maximum.accumulate(arrival_s), self._latest_s)

    def accept(self, digests: Digests, arrival_s: Ints) -> Bools:
        """Which ids, in log order, are no duplicates; they are remembered. `arrival_s` is of `arrivals`."""
        slot, first = self._locate(digests, arrival_s)
        first_s = self._first_arrival.values
        first_s[slot[first]] = arrival_s[first]
        accepted = as_bools(first, len(digests))
        over = ~accepted & (arrival_s - first_s[slot] >= REMEMBERED_SECONDS)
        for place in np.flatnonzero(over).tolist():  # one by one: the same id may come again in one batch
            if arrival_s[place] - int(first_s[slot[place]]) >= REMEMBERED_SECONDS:
                accepted[place] = True
                first_s[slot[place]] = arrival_s[place]
        self.unsaved_minutes.update(np.unique(arrival_s[accepted] // MINUTE_SECONDS).tolist())
        return accepted

    def remember(self, digests: Digests, arrival_s: Ints) -> None:
        """Take over ids that were accepted, in log order."""
        slot, _ = self._locate(digests, arrival_s)
        self._first_arrival.values[slot] = arrival_s  # of an id accepted twice the later
        self.unsaved_minutes.update(np.unique(arrival_s // MINUTE_SECONDS).tolist())

    def _locate(self, digests: Digests, arrival_s: Ints) -> tuple[Ints, Ints]:
        self._latest_s = max(self._latest_s, int(arrival_s.max(initial=0)))
        if self._first_arrival.is_full_for(len(digests)):
            self._forget()
        return self._first_arrival.locate(digests)

    def _forget(self) -> None:
        """Forget ids that no longer matter, if they are worth it. What is a duplicate does not depend on it."""
        used = self._first_arrival.used()
        live = used[self._first_arrival.values[used] > self._latest_s - REMEMBERED_SECONDS]
        if 4 * len(live) <= 3 * len(used):
            self._first_arrival.keep(live)

    def oldest_minute(self) -> int:
        """The first minute of arrival whose ids matter."""
        return (self._latest_s - REMEMBERED_SECONDS + 1) // MINUTE_SECONDS

    def save(self, minutes: Iterable[int]) -> dict[int, dict[str, Array]]:
        """The ids that first arrived in each of these minutes, for `load`."""
        used = self._first_arrival.used()
        arrived = self._first_arrival.values[used]
        saved = {}
        for minute in minutes:
            slots = used[arrived // MINUTE_SECONDS == minute]
            saved[minute] = {"digests": self._first_arrival.keys(slots), "arrival_s": self._first_arrival.values[slots]}
        return saved

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave of a minute. Minutes are to be loaded in order."""
        self.remember(saved["digests"], saved["arrival_s"].astype(np.int64))
        self.unsaved_minutes.clear()
