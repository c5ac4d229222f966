"""Distinct visitors, exact over any trailing window, at a cost an event that no window's size touches.

For each visitor the second of the last event is kept, and for each second the number of visitors whose last event it
holds. The distinct visitors of a trailing window are then the sum over its seconds: a visitor is in the window exactly
when the last event is. Visitors by minute and half hour are a bit each, set when the visitor is first seen in one.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.arrays import RING_MASK, RING_SECONDS, Array, Ints, enter_seconds, grown, trailing
from services.aggregate.batch import BOT_DEVICE
from shared.events import DEVICE_TYPES
from shared.rollup_keys import AUDIENCES

HUMAN_ROW: Final = len(DEVICE_TYPES)
ALL_ROW: Final = HUMAN_ROW + 1
BOT_ROW: Final = BOT_DEVICE  # the bot audience is the visitors of that device type
_ROWS: Final = ALL_ROW + 1
_SLOTS: Final = 64  # bits of a visitor in a row of DistinctByBucket


def by_audience(second: Ints, visitor: Ints, device: Ints) -> tuple[Ints, Ints, Ints]:
    """Each event once for `all` and once for `human` or `bot`: (audience's place in AUDIENCES, visitor, second)."""
    bot = AUDIENCES.index("bot")
    own = np.where(device == BOT_DEVICE, bot, AUDIENCES.index("human"))
    every = np.full_like(own, AUDIENCES.index("all"))
    return np.concatenate((own, every)), np.concatenate((visitor, visitor)), np.concatenate((second, second))


class LastSeen:
    """The second each visitor was last seen, by device type and audience, and visitors by that second."""

    def __init__(self) -> None:
        self._last = np.zeros((_ROWS, 0), np.uint32)
        self._by_second = np.zeros((_ROWS, RING_SECONDS), np.int32)

    def enter(self, first_second: int, last_second: int) -> None:
        """Make room for the seconds that the clock entered."""
        enter_seconds(self._by_second, first_second, last_second)

    def fold(self, second: Ints, visitor: Ints, device: Ints, visitors: int, now_s: int) -> None:
        """Add events none of which is after `now_s` or has left the ring; `visitors` is the number of codes in use."""
        self._last = grown(self._last, visitors)
        room = self._last.shape[1]
        human = device != BOT_DEVICE
        place = np.concatenate((device * room + visitor, HUMAN_ROW * room + visitor[human], ALL_ROW * room + visitor))
        seconds = np.concatenate((second, second[human], second)).astype(np.uint32)
        touched = np.unique(place)
        last = self._last.reshape(-1)
        before = last[touched].astype(np.int64)
        np.maximum.at(last, place, seconds)
        after = last[touched].astype(np.int64)
        row = touched // room
        moved = after > before
        leaving = moved & (before > now_s - RING_SECONDS)
        np.subtract.at(self._by_second, (row[leaving], before[leaving] & RING_MASK), 1)
        np.add.at(self._by_second, (row[moved], after[moved] & RING_MASK), 1)

    def distinct(self, row: int, now_s: int, seconds: int) -> int:
        """Distinct visitors of a row whose last event is in the trailing window."""
        return int(trailing(self._by_second[row], now_s, seconds).sum())

    def seen_since(self, second: int, visitors: int) -> Array:
        """For each visitor code whether its last event is at or after `second`."""
        since: Array = grown(self._last, visitors)[ALL_ROW, :visitors] >= second
        return since

    def keep(self, kept: Array) -> None:
        """Renumber to the visitors for which `kept` is true. They must include all that are within the ring."""
        self._last = grown(self._last, len(kept))[:, : len(kept)][:, kept]

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"last": self._last, "by_second": self._by_second}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        self._last, self._by_second = saved["last"], saved["by_second"]


class DistinctByBucket:
    """Distinct visitors in each of the latest buckets (minutes, half hours), for every audience."""

    def __init__(self, bucket_seconds: int, shown: int) -> None:
        assert shown <= _SLOTS
        self._bucket_seconds = bucket_seconds
        self._shown = shown
        self._bits = np.zeros((len(AUDIENCES), 0), np.uint64)
        self._counts = np.zeros((len(AUDIENCES), _SLOTS), np.int64)

    def enter(self, first_second: int, last_second: int) -> None:
        """Clear the buckets that begin between the two seconds, both included."""
        first, last = -(-first_second // self._bucket_seconds), last_second // self._bucket_seconds
        slots = {bucket % _SLOTS for bucket in range(max(first, last - _SLOTS + 1), last + 1)}
        if slots:
            self._bits &= ~np.bitwise_or.reduce(np.uint64(1) << np.array(sorted(slots), np.uint64))
            self._counts[:, sorted(slots)] = 0

    def fold(self, second: Ints, visitor: Ints, device: Ints, visitors: int, now_s: int) -> None:
        """Add events none of which is after `now_s`; those before the buckets shown change nothing."""
        self._bits = grown(self._bits, visitors)
        room = self._bits.shape[1]
        within = second >= (now_s // self._bucket_seconds - self._shown + 1) * self._bucket_seconds
        row, who, when = by_audience(second[within], visitor[within], device[within])
        seen = np.unique((row * room + who) * _SLOTS + when // self._bucket_seconds % _SLOTS)
        place, slot = seen // _SLOTS, seen % _SLOTS
        bits = self._bits.reshape(-1)
        new = (bits[place] >> slot.astype(np.uint64)) & np.uint64(1) == 0
        np.bitwise_or.at(bits, place[new], np.uint64(1) << slot[new].astype(np.uint64))
        np.add.at(self._counts, (place[new] // room, slot[new]), 1)

    def counts(self, now_s: int) -> Ints:
        """Distinct visitors by audience and bucket, oldest bucket first, the running one last."""
        last = now_s // self._bucket_seconds
        return self._counts[:, [bucket % _SLOTS for bucket in range(last - self._shown + 1, last + 1)]]

    def keep(self, kept: Array) -> None:
        """Renumber to the visitors for which `kept` is true."""
        self._bits = grown(self._bits, len(kept))[:, : len(kept)][:, kept]

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {"bits": self._bits, "counts": self._counts}

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        self._bits, self._counts = saved["bits"], saved["counts"]
