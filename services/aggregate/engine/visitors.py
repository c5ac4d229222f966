"""Distinct visitors, exact over any trailing window, at a per-event cost independent of window size.

`LastSeen` keeps the second of each visitor's last event, and for each second the number of visitors whose last event it
holds. The distinct visitors of a trailing window are the sum over its seconds: a visitor is in the window exactly when
the last event is. `DistinctByBucket` keeps one bit per minute or half hour, set when the visitor is first seen in it.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from services.aggregate.columns.arrays import (
    RING_SECONDS,
    Array,
    Ints,
    count_at,
    enter_seconds,
    grown,
    ring_slots,
    run_starts,
    trailing,
)
from services.aggregate.engine.visits import Visits, since


class LastSeen:
    """The second each visitor was last seen, and visitors by that second. A row per audience, goal or device type."""

    def __init__(self, rows: int, ring_seconds: int = RING_SECONDS, *, ends_in_all: bool = False) -> None:
        """`ends_in_all`: the last row has the visits of all others, so it needs no memory by visitor."""
        self._last = np.zeros((rows - ends_in_all, 0), np.uint32)
        self._by_second = np.zeros((rows, ring_seconds), np.int32)

    def enter(self, first_second: int, last_second: int) -> None:
        """Clear the slots of the seconds that the clock entered."""
        enter_seconds(self._by_second, first_second, last_second)

    def fold(self, visits: list[Visits], capacity: int, now_s: int) -> None:
        """Add visits by row, none of them after `now_s`; `capacity` is above every visitor number among them."""
        self._last = grown(self._last, capacity)
        oldest = now_s - self._by_second.shape[1]
        for row, (visitor, second, *_) in reversed([*since(visits, oldest + 1)]):  # all, before it is in other rows
            ends = np.append(run_starts(visitor)[1:], len(visitor)) - 1  # the last event of each visitor
            who, after = visitor[ends], second[ends]
            is_all = row == len(self._last)
            before = (self._last[:, who].max(axis=0) if is_all else self._last[row, who]).astype(np.int64)
            moved = after > before
            who, after, before = who[moved], after[moved], before[moved]
            if not is_all:
                self._last[row, who] = after
            by_second = self._by_second[row]
            count_at(by_second, ring_slots(by_second, before[before > oldest]), -1)
            count_at(by_second, ring_slots(by_second, after))

    def distinct(self, now_s: int, seconds: int) -> Ints:
        """Distinct visitors by row whose last event is in the trailing window."""
        counts: Ints = trailing(self._by_second, now_s, seconds).sum(axis=1, dtype=np.int64)
        return counts

    def last(self) -> npt.NDArray[np.uint32]:
        """The second of the last event in any row by visitor; 0 without an event."""
        last: npt.NDArray[np.uint32] = self._last.max(axis=0)
        return last

    def forget(self, visitors: Ints) -> None:
        """Clear the numbers of visitors, none of whom is within the ring."""
        self._last[:, visitors[visitors < self._last.shape[1]]] = 0

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"last": self._last, "by_second": self._by_second}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
        self._last, self._by_second = saved["last"], saved["by_second"]


class DistinctByBucket:
    """Distinct visitors in each of the latest buckets (minutes, half hours). A row per audience.

    The last row is that of all, which needs no memory by visitor.
    """

    def __init__(self, rows: int, bucket_seconds: int, shown: int, bits: npt.DTypeLike) -> None:
        """`bits` is an unsigned integer type with a bit for each bucket shown."""
        self._bucket_seconds = bucket_seconds
        self._shown = shown
        self._bits = np.zeros((rows - 1, 0), bits)
        self._slots: Final = 8 * self._bits.itemsize
        assert shown <= self._slots
        self._counts = np.zeros((rows, self._slots), np.int64)

    def enter(self, first_second: int, last_second: int) -> None:
        """Clear the buckets that start between the two seconds, both included."""
        first, last = -(-first_second // self._bucket_seconds), last_second // self._bucket_seconds
        entered = sorted({bucket % self._slots for bucket in range(max(first, last - self._slots + 1), last + 1)})
        if entered:
            self._bits &= ~np.bitwise_or.reduce(self._bit(np.array(entered)))
            self._counts[:, entered] = 0

    def fold(self, visits: list[Visits], capacity: int, now_s: int) -> None:
        """Add visits by row, none of them after `now_s`. Those before the buckets shown change nothing."""
        self._bits = grown(self._bits, capacity)
        first_shown = now_s // self._bucket_seconds - self._shown + 1
        for row, (visitor, second, *_) in reversed([*since(visits, first_shown * self._bucket_seconds)]):  # all first
            bucket = second // self._bucket_seconds
            starts = run_starts(visitor, bucket)
            who, slot = visitor[starts], bucket[starts] % self._slots
            bit = self._bit(slot)
            is_all = row == len(self._bits)
            bits = np.bitwise_or.reduce(self._bits[:, who]) if is_all else self._bits[row, who]
            new = bits & bit == 0
            if not new.any():
                continue
            who, bit = who[new], bit[new]
            self._counts[row] += np.bincount(slot[new], minlength=self._slots)
            if not is_all:
                starts = run_starts(who)
                self._bits[row, who[starts]] |= np.bitwise_or.reduceat(bit, starts)

    def counts(self, now_s: int) -> Ints:
        """Distinct visitors by row and bucket, oldest bucket first, the running one last."""
        last = now_s // self._bucket_seconds
        return self._counts[:, [bucket % self._slots for bucket in range(last - self._shown + 1, last + 1)]]

    def distinct(self, first_bucket: int, last_bucket: int, others: list[Ints]) -> Ints:
        """Distinct visitors by row who are in any of these buckets, all of them shown, or among the row's `others`.

        `others` may repeat.
        """
        within = np.array([bucket % self._slots for bucket in range(first_bucket, last_bucket + 1)], np.int64)
        wanted = np.bitwise_or.reduce(self._bit(within))
        counts = []
        for bits, own in zip([*self._bits, np.bitwise_or.reduce(self._bits)], others, strict=True):
            seen = bits & wanted != 0
            seen[own] = True
            counts.append(np.count_nonzero(seen))
        return np.array(counts, np.int64)

    def forget(self, visitors: Ints) -> None:
        """Clear the numbers of visitors, none of whom is in a bucket shown."""
        self._bits[:, visitors[visitors < self._bits.shape[1]]] = 0

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"bits": self._bits, "counts": self._counts}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save` returned."""
        self._bits, self._counts = saved["bits"], saved["counts"]

    def _bit(self, slot: Ints) -> Array:
        one = self._bits.dtype.type(1)
        bit: Array = one << slot.astype(self._bits.dtype)
        return bit
