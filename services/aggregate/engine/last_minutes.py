"""The visitors of the last five minutes by page and by product. See `Window`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints
from services.aggregate.columns.batch import NONE, is_bot
from services.aggregate.engine.popularity import BOT, HUMAN
from services.aggregate.engine.product_codes import ProductCodes
from services.aggregate.engine.seen_by_name import SeenByName
from services.aggregate.engine.window import Events, Forgotten, Step

SECONDS: Final = 300
PAGE: Final = "page"
PRODUCT: Final = "product"
DIMENSIONS_SEEN: Final = (PAGE, PRODUCT)


class LastMinutes:
    """Distinct visitors by name in the last `SECONDS`. See `Window`."""

    name: Final = "last_minutes"

    def __init__(self) -> None:
        self._seen = {dimension: SeenByName(SECONDS) for dimension in DIMENSIONS_SEEN}
        self._products = ProductCodes()

    def counts(self, dimension: str, codes: int) -> Array:
        """Distinct visitors by audience and code; a product counts at one of its variants."""
        return self._seen[dimension].counts(codes)

    def enter(self, step: Step) -> None:
        """See `Window`."""
        for seen in self._seen.values():
            seen.enter(step.last_second)

    def fold(self, events: Events) -> None:
        """See `Window`."""
        self.count(*events.since(events.now_s - SECONDS + 1))

    def count(self, rows: Array, second: Ints) -> None:
        """Add rows of the last `SECONDS`, with the second of each."""
        if not len(rows):
            return
        bots, visitor = is_bot(rows), rows["visitor"].astype(np.int64)
        audiences = [(HUMAN, ~bots), (BOT, bots)] if bots.any() else [(HUMAN, None)]
        for dimension, seen in self._seen.items():
            code = rows[dimension].astype(np.int64)
            has_name = code != NONE
            if dimension == PRODUCT:
                code = self._products.of(code)
            for audience, which in audiences:
                own = has_name if which is None else has_name & which
                if own.all():
                    seen.fold(audience, code, visitor, second)
                else:
                    seen.fold(audience, code[own], visitor[own], second[own])

    def learn(self, dimension: str, codes: Sequence[int], names: Sequence[Any]) -> None:
        """Take over the names of codes before rows have them."""
        if dimension == PRODUCT:
            self._products.learn(codes, names)

    def forget_names(self, dimension: str, codes: Ints) -> None:
        """Codes of a dimension are free; none of them is in use."""
        if dimension == PRODUCT:
            self._products.forget(codes)

    def mark_in_use(self, dimension: str, in_use: Bools) -> None:
        """Set `in_use` at each code of a dimension that counts a visitor."""
        if dimension in self._seen:
            in_use |= self._seen[dimension].counts(len(in_use)).any(axis=0)

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`. A visitor code outlives the last minutes."""

    def save(self) -> dict[str, Array]:
        """See `Window`. `RecentRows` has the rows to count again."""
        return {}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""
