"""Events of the trailing hour by name, for each ranked dimension: each is added once and subtracted once."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, count_at, grown
from services.aggregate.columns.batch import is_bot
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.columns.names import OTHER_CODE
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.events.time_units import HOUR_SECONDS

HUMAN: Final = 0
BOT: Final = 1


class HourlyPopularity:
    """For each ranked dimension the events of the trailing hour: row HUMAN and row BOT, a column per code.

    32 bits are enough: the rows of 2**31 events, which a partition keeps for the hour, would take 100 GB. See `Window`.
    """

    name: Final = "popularity"

    def __init__(self) -> None:
        self._counts = {dimension.name: np.zeros((2, 0), np.int32) for dimension in RANKED_DIMENSIONS}

    def counts(self, dimension: str, codes: int) -> Array:
        """Events by audience and code, for the codes below `codes`."""
        self._counts[dimension] = grown(self._counts[dimension], codes)
        return self._counts[dimension][:, :codes]

    def enter(self, step: Step) -> None:
        """See `Window`."""
        self._count(step.leaving.rows, -1)

    def fold(self, events: Events) -> None:
        """See `Window`."""
        rows, _ = events.since(events.now_s - HOUR_SECONDS + 1)
        self.count(rows)

    def count(self, rows: Array) -> None:
        """Add rows of the trailing hour."""
        self._count(rows, 1)

    def _count(self, rows: Array, by: int) -> None:
        if not len(rows):
            return
        bot = is_bot(rows).astype(np.int64)
        for dimension in self._counts:
            code = rows[dimension].astype(np.int64)
            has_name = code >= 0
            if has_name.all():
                audience = bot
            else:
                code, audience = code[has_name], bot[has_name]
            if len(code):
                counts = self._counts[dimension] = grown(self._counts[dimension], int(code.max()) + 1)
                count_at(counts.reshape(-1), audience * counts.shape[1] + code, by)

    def others(self) -> list[str]:
        """The dimensions with events of OTHER_CODE in the trailing hour."""
        counts = {dimension.name: self._counts[dimension.name] for dimension in RANKED_DIMENSIONS if dimension.is_open}
        return [name for name, own in counts.items() if own[:, OTHER_CODE : OTHER_CODE + 1].any()]

    def has_none(self, dimension: str, codes: Ints) -> bool:
        """Whether no event of the trailing hour has one of these codes of a dimension."""
        counts = self._counts.get(dimension)
        return counts is None or not counts[:, codes[codes < counts.shape[1]]].any()

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`. It keeps nothing by visitor."""

    def save(self) -> dict[str, Array]:
        """See `Window`. `RecentRows` has the rows to count again."""
        return {}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""
