"""Sums by number, for numbers that few events have: only those that occur take memory."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

import numpy as np

from services.aggregate.columns.arrays import Array, Bools, Ints, run_starts

SOLD_HIGH, SOLD_LOW, REFUNDED_HIGH, REFUNDED_LOW, ORDERS, REFUNDS, ORDER_LINES, REFUND_LINES = FIGURES = range(8)
"""The columns. An amount in millionths is two numbers, above and below 2³²: their sums cannot overflow before there are
2³¹ sales, where plain sums of the greatest amount overflow at ten."""

_FEWEST: Final = 4_096
_MOST_ADDED: Final = 1_024
"""What was added is summed up when it has this many keys and more than the sums, or is this many pieces. So adding
costs the same on average however many keys there are."""
LOW_BITS: Final = 32
LOW_MASK: Final = (1 << LOW_BITS) - 1


class Sums(NamedTuple):
    """Keys in order, each once, and a row of FIGURES for each."""

    keys: Ints
    figures: Ints

    @classmethod
    def of(cls, keys: Ints, figures: Ints) -> Self:
        """The sums of figures whose keys may repeat, in any order."""
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = run_starts(keys)
        if not len(starts):
            return cls(keys, figures[:0])
        return cls(keys[starts], np.add.reduceat(figures[order], starts, axis=0))

    def counted(self) -> Self:
        """Only the keys with a sale."""
        has_any = sales_of(self.figures) > 0
        return self if has_any.all() else type(self)(self.keys[has_any], self.figures[has_any])

    def only(self, which: Array) -> Self:
        """Some of the rows, in order."""
        return type(self)(self.keys[which], self.figures[which])


NO_SUMS: Final = Sums(np.empty(0, np.int64), np.empty((0, len(FIGURES)), np.int64))


def sales_of(figures: Ints) -> Ints:
    """The number of sales in each row: orders, refunds, and further lines of either."""
    sales: Ints = figures[:, ORDERS:].sum(axis=1)
    return sales


def figures_of(millionths: Ints, is_line: Bools) -> Ints:
    """A row of FIGURES for each sale of this value, which is an order or a refund, or a further line of one."""
    figures = np.zeros((len(millionths), len(FIGURES)), np.int64)
    is_refund = millionths < 0
    sold, refunded = np.where(is_refund, 0, millionths), np.where(is_refund, -millionths, 0)
    for amount, high, low in ((sold, SOLD_HIGH, SOLD_LOW), (refunded, REFUNDED_HIGH, REFUNDED_LOW)):
        figures[:, high], figures[:, low] = amount >> LOW_BITS, amount & LOW_MASK
    figures[:, ORDERS], figures[:, REFUNDS] = ~is_refund & ~is_line, is_refund & ~is_line
    figures[:, ORDER_LINES], figures[:, REFUND_LINES] = ~is_refund & is_line, is_refund & is_line
    return figures


def carried(sums: Sums) -> Sums:
    """The same sums with the low half of each amount below 2³², so that equal amounts are equal numbers."""
    figures = sums.figures.copy()
    for high, low in ((SOLD_HIGH, SOLD_LOW), (REFUNDED_HIGH, REFUNDED_LOW)):
        figures[:, high] += figures[:, low] >> LOW_BITS
        figures[:, low] &= LOW_MASK
    return Sums(sums.keys, figures)


def amounts_of(figures: Ints) -> list[tuple[int, int]]:
    """For each row what was sold and what was refunded, in millionths, exact."""
    return [
        ((sold_high << LOW_BITS) + sold_low, (refunded_high << LOW_BITS) + refunded_low)
        for sold_high, sold_low, refunded_high, refunded_low in figures[:, :ORDERS].tolist()
    ]


class Changing(NamedTuple):
    """Sums and how they came about, for a reader that follows them. Nothing in it changes but `added`, which grows."""

    settled: Sums
    added: list[Sums]
    pieces: int
    """The sums now are `settled` and so many of `added`."""
    closed: list[Sums]
    """The `added` before this one: all of it is in `settled`."""

    def since(self, known: "Changing | None") -> list[Sums] | None:
        """What was added since a state of the same ledger; None if that is not known any more."""
        if known is not None and known.added is self.added:
            return self.added[known.pieces : self.pieces]
        if known is not None and known.added is self.closed:
            return [*self.closed[known.pieces :], *self.added[: self.pieces]]
        return None

    def total(self) -> Sums:
        """The sums. Keys without any sale are left out."""
        return total([self.settled, *self.added[: self.pieces]]).counted()


class Ledger:
    """Sums that grow and shrink. Adding costs what is added, however many there are."""

    def __init__(self) -> None:
        self._settled = NO_SUMS
        self._added: list[Sums] = []
        self._closed: list[Sums] = []
        self._rows = 0  # of `_added`

    @property
    def sums(self) -> Sums:
        """The sums now; they never change. Keys without any sale are left out."""
        if self._added:
            self._settled = total([self._settled, *self._added]).counted()
            self._closed, self._added, self._rows = self._added, [], 0
        return self._settled

    @property
    def changing(self) -> Changing:
        """The sums now, for a reader that follows them."""
        return Changing(self._settled, self._added, len(self._added), self._closed)

    def add(self, added: Sums) -> None:
        """Add sums."""
        if not len(added.keys):
            return
        self._added.append(added)
        self._rows += len(added.keys)
        if self._rows > max(_FEWEST, len(self._settled.keys)) or len(self._added) > _MOST_ADDED:
            _ = self.sums

    def subtract(self, left: Sums) -> None:
        """Take back sums that were added before."""
        self.add(Sums(left.keys, -left.figures))

    def keep(self, which: Array) -> None:
        """Drop the other keys of `sums`."""
        if not which.all():
            self._settled = self.sums.only(which)


def total(parts: Sequence[Sums]) -> Sums:
    """The sums of all parts, whose keys may repeat."""
    keys, figures = zip(*parts, strict=True)
    return Sums.of(np.concatenate(keys), np.concatenate(figures))
