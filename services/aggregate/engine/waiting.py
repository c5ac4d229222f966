"""Counted events ahead of the clock, until it reaches their second."""

from collections.abc import Iterable
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.batch import NONE, LatestEvent, seconds_of
from services.aggregate.engine.latest import Latest
from services.aggregate.engine.recent_rows import NO_ROWS
from shared.events.timestamps import FUTURE_TOLERANCE_MS

_MOST_SECONDS: Final = FUTURE_TOLERANCE_MS // 1000 + 1
_second_of: Final = attrgetter("second")


class Waiting:
    """Rows by second, and for each second the events that may be among the latest when it comes.

    A second costs its own events, however many others wait.
    """

    def __init__(self, rows: Array = NO_ROWS, latest: Iterable[LatestEvent] = ()) -> None:
        """`rows` and `latest` are those of a saved state."""
        self._rows: dict[int, list[Array]] = {}
        self._latest: dict[int, Latest] = {}
        self.add(rows)
        self.add_latest(latest)

    def add(self, rows: Array) -> None:
        """Add rows, all of them ahead of the clock."""
        second = seconds_of(rows)
        order = np.argsort(second, kind="stable")
        starts = run_starts(second[order]).tolist()
        for start, end in pairwise([*starts, len(rows)]):
            own = order[start:end]
            self._rows.setdefault(int(second[own[0]]), []).append(rows[own])

    def add_latest(self, events: Iterable[LatestEvent]) -> None:
        """Add events that may become the latest, all of them ahead of the clock."""
        for second, own in groupby(sorted(events, key=_second_of), key=_second_of):
            self._latest.setdefault(second, Latest()).fold(own)

    def thresholds_ms(self, now_s: int) -> Ints:
        """For each second after `now_s`: no event before this instant can be among the latest when the second comes."""
        thresholds = np.zeros(_MOST_SECONDS, np.int64)
        for second, latest in self._latest.items():
            if now_s < second <= now_s + _MOST_SECONDS:
                thresholds[second - now_s - 1] = latest.threshold_ms()
        return thresholds

    def take(self, now_s: int) -> tuple[Array, list[LatestEvent]]:
        """Remove what is due: the rows, and the events that may be the latest, up to and including second `now_s`."""
        rows = [chunk for second in _due(self._rows, now_s) for chunk in self._rows.pop(second)]
        latest = [event for second in _due(self._latest, now_s) for event in _events(self._latest.pop(second))]
        return np.concatenate([NO_ROWS, *rows]), latest

    @property
    def rows(self) -> Array:
        """All rows, by second."""
        return np.concatenate([NO_ROWS, *(chunk for second in sorted(self._rows) for chunk in self._rows[second])])

    @property
    def latest(self) -> list[LatestEvent]:
        """The events that may become the latest, by second."""
        return [event for second in sorted(self._latest) for event in _events(self._latest[second])]

    def mark_in_use(self, dimension: str, in_use: Bools) -> None:
        """Set `in_use` at each code of a dimension."""
        for chunks in self._rows.values():
            for chunk in chunks:
                codes = chunk[dimension]
                in_use[codes[codes != NONE]] = True


def _due(by_second: Iterable[int], now_s: int) -> list[int]:
    return sorted(second for second in by_second if second <= now_s)


def _events(latest: Latest) -> list[LatestEvent]:
    """The events of both lists, each once."""
    return list(dict.fromkeys([*latest.events, *latest.visitors]))
