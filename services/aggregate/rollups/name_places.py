"""The places of names that are merged each second: the same name has the same place, whichever partition it is of."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Bools, Ints
from services.aggregate.columns.digester import Digester
from services.aggregate.columns.digests import Digests, DigestTable
from services.aggregate.rollups.name_order import NameOrder

NOBODY: Final = 0
"""The place of codes without a name."""


class NamePlaces:
    """Names by their places, which are the numbers of their digests. Not thread-safe."""

    def __init__(self, digester: Digester) -> None:
        self.names: list[Any] = [None]
        """By place; the first is that of NOBODY."""
        self.order = NameOrder(self.names)
        self._digester = digester
        self._table = DigestTable()

    def placed(self, names: Sequence[Any]) -> Ints:
        """The places of names, which are added if they are new."""
        if not names:
            return np.empty(0, np.int64)
        places, first_rows = self._table.locate(_digests(self._digester, names))
        self.names += [names[row] for row in first_rows.tolist()]
        return places

    def find(self, names: Sequence[Any]) -> Ints:
        """The places of those of the names that have one."""
        return self._table.find(_digests(self._digester, names))[1] if names else np.empty(0, np.int64)

    def keep(self, is_kept: Bools, moved: Ints) -> None:
        """Follow names that are `moved` to other places, without those that are not kept."""
        self._table.keep(np.flatnonzero(is_kept)[1:])
        self.names = [self.names[place] for place in np.flatnonzero(is_kept).tolist()]
        self.order.keep(is_kept, moved, self.names)


def _digests(digester: Digester, names: Sequence[Any]) -> Digests:
    texts = names if isinstance(names[0], str) else map(_text_of, names)
    return digester.digests(digester.hashes(texts))


def _text_of(parts: Sequence[str]) -> str:
    """A text for a name of several parts, another one for every other name."""
    return f"{[len(part) for part in parts]}{''.join(parts)}"
