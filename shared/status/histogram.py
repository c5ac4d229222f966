"""A histogram with fixed buckets. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate


class Histogram:
    """Counts observations by bucket. One thread observes; others may read without a lock.

    >>> durations = Histogram((0.1, 1.0))
    >>> durations.observe(0.5)
    >>> list(durations.cumulative())
    [(0.1, 0), (1.0, 1), (inf, 1)]
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the buckets' upper bounds, ascending; a last bucket takes what is above."""
        self._bounds = (*bounds, float("inf"))
        self._counts = [0] * len(self._bounds)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Each bound, and how many observations are at most that."""
        return zip(self._bounds, accumulate(tuple(self._counts)), strict=True)
