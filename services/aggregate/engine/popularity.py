"""Events of the trailing hour by product, page and country: each is added once, and taken off once, by its second."""

from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, grown
from services.aggregate.columns.batch import is_bot

HOUR_SECONDS: Final = 3600
HUMAN: Final = 0
BOT: Final = 1
DIMENSIONS: Final = ("product", "page", "country")


class HourlyPopularity:
    """For each dimension the events of the trailing hour; row HUMAN and row BOT, a column a code."""

    def __init__(self) -> None:
        self._counts = {dimension: np.zeros((2, 0), np.int64) for dimension in DIMENSIONS}

    def counts(self, dimension: str, codes: int) -> Ints:
        """Events by audience and code, for the codes below `codes`."""
        self._counts[dimension] = grown(self._counts[dimension], codes)
        return self._counts[dimension][:, :codes]

    def add(self, rows: Array) -> None:
        """Count rows that are in the trailing hour."""
        self._count(rows, 1)

    def take_off(self, rows: Array) -> None:
        """Count rows no more, whose second has left the trailing hour."""
        self._count(rows, -1)

    def _count(self, rows: Array, by: int) -> None:
        bot = is_bot(rows).astype(np.int64)
        for dimension in DIMENSIONS:
            code = rows[dimension].astype(np.int64)
            has_one = code >= 0
            if not has_one.all():
                code, audience = code[has_one], bot[has_one]
            else:
                audience = bot
            if len(code):
                counts = self._counts[dimension] = grown(self._counts[dimension], int(code.max()) + 1)
                room = counts.shape[1]
                counts += by * np.bincount(audience * room + code, minlength=2 * room).reshape(2, room)

    def renumber(self, dimension: str, kept: Bools) -> None:
        """Renumber to the codes for which `kept` is true. They must include all that have events in the hour."""
        self._counts[dimension] = grown(self._counts[dimension], len(kept))[:, : len(kept)][:, kept]
