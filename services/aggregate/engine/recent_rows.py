"""The events of the recent minutes, by minute: for what leaves the trailing hour, and for segments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts
from services.aggregate.columns.batch import NONE, ROW
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.events.time_units import HOUR_SECONDS, MINUTE_SECONDS

NO_ROWS: Final = np.empty(0, ROW)


class RecentRows:
    """Rows by the minute of their event. See `Window`.

    Arrays of rows are never changed in place: another thread may read them.
    """

    name: Final = "recent_rows"

    def __init__(self, kept_seconds: int = HOUR_SECONDS) -> None:
        """`kept_seconds` is how far back rows are kept, at least the trailing hour."""
        self._kept_seconds = max(HOUR_SECONDS, kept_seconds)
        self._minutes: dict[int, list[Array]] = {}
        self._codes: dict[int, dict[str, Array]] = {}  # codes in use, by minute and dimension, where known
        self.unsaved: set[int] = set()  # minutes that changed since they were last saved
        self.unpublished: set[int] = set()  # minutes that changed since their segment's version was last raised

    def oldest_minute(self, now_s: int) -> int:
        """The first minute whose rows are kept."""
        return (now_s - self._kept_seconds + 1) // MINUTE_SECONDS

    def enter(self, step: Step) -> None:
        """See `Window`."""
        self.drop_before(self.oldest_minute(step.last_second))

    def fold(self, events: Events) -> None:
        """See `Window`."""
        rows, second = events.since(self.oldest_minute(events.now_s) * MINUTE_SECONDS)
        if len(rows):
            self.add(rows, second)

    def add(self, rows: Array, second: Ints) -> None:
        """Add rows, with the second of each."""
        minute = second // MINUTE_SECONDS
        order = np.argsort(minute, kind="stable")
        starts = run_starts(minute[order])
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            number = int(minute[order[start]])
            self._minutes.setdefault(number, []).append(rows[order[start:end]])
            self._codes.pop(number, None)
            self.unsaved.add(number)
            self.unpublished.add(number)

    def minute(self, minute: int) -> Array:
        """The rows of one minute, in the order they were added."""
        chunks = self._minutes.get(minute, [])
        if len(chunks) > 1:
            self._minutes[minute] = chunks = [np.concatenate(chunks)]
        return chunks[0] if chunks else NO_ROWS

    def chunks(self, minute: int) -> tuple[Array, ...]:
        """The rows of one minute as they were added: free of the copy that joins them."""
        return tuple(self._minutes.get(minute, ()))

    def minutes(self) -> list[int]:
        """The minutes that have rows, in order."""
        return sorted(self._minutes)

    def between(self, first_second: int, last_second: int) -> Array:
        """The rows of the seconds from first to last, both included."""
        found = [rows[which] for rows, which in self.by_minute_between(first_second, last_second)]
        return np.concatenate([NO_ROWS, *found])

    def by_minute_between(self, first_second: int, last_second: int) -> Iterator[tuple[Array, Bools]]:
        """The rows of each minute that these seconds touch, and which of them are in these seconds."""
        minutes: Sequence[int] = range(first_second // MINUTE_SECONDS, last_second // MINUTE_SECONDS + 1)
        if len(minutes) > len(self._minutes):
            minutes = self.minutes()
        for rows in map(self.minute, minutes):
            time_ms = rows["timestamp"]
            yield rows, (time_ms >= first_second * 1000) & (time_ms < (last_second + 1) * 1000)

    def drop_before(self, minute: int) -> None:
        """Drop the minutes before this one."""
        for old in [number for number in self._minutes if number < minute]:
            del self._minutes[old]
            self._codes.pop(old, None)
        self.unsaved = {number for number in self.unsaved if number >= minute}
        self.unpublished = {number for number in self.unpublished if number >= minute}

    def codes_in_use(self, dimension: str, names: int) -> Bools:
        """For each code of a dimension below `names`, whether a row has it.

        Looks only at minutes that changed since the last look: there are millions of rows.
        """
        in_use = np.zeros(names, np.bool_)
        for minute in self.minutes():
            known = self._codes.setdefault(minute, {})
            if dimension not in known:
                codes = self.minute(minute)[dimension]
                here = np.zeros(names, np.bool_)
                here[codes[codes != NONE]] = True
                known[dimension] = np.flatnonzero(here).astype(np.int32)
            in_use[known[dimension]] = True
        return in_use

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`. A visitor code outlives every row that has it."""

    def save(self) -> dict[str, Array]:
        """See `Window`. The codec saves each minute on its own, when it has changed."""
        return {}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""

    def load_minutes(self, saved: Mapping[int, Array]) -> None:
        """Restore the rows of minutes. These count as saved and published."""
        self._minutes.update({minute: [rows] for minute, rows in saved.items()})
