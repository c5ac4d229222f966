"""Events by device type and second, from which every count of views is read."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import (
    RING_SECONDS,
    Array,
    Ints,
    count_at,
    enter_seconds,
    ring_slots,
    trailing,
)
from services.aggregate.columns.batch import BOT_DEVICE
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.events.schema import DEVICE_TYPES
from shared.rollups.model import AUDIENCES


class Views:
    """A ring of seconds for each device type. See `Window`."""

    name: Final = "views"

    def __init__(self) -> None:
        self._by_second = np.zeros((len(DEVICE_TYPES), RING_SECONDS), np.int32)

    def enter(self, step: Step) -> None:
        """See `Window`."""
        enter_seconds(self._by_second, step.first_second, step.last_second)

    def fold(self, events: Events) -> None:
        """See `Window`."""
        by_device = events.rows["device"].astype(np.int64) * RING_SECONDS
        count_at(self._by_second.reshape(-1), by_device + ring_slots(self._by_second, events.second))

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`. It keeps nothing by visitor."""

    def save(self) -> dict[str, Array]:
        """See `Window`."""
        return {"by_second": self._by_second}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""
        self._by_second = saved["by_second"]

    def by_device(self, now_s: int, seconds: int) -> Ints:
        """Events of the trailing window by device type."""
        counts: Ints = trailing(self._by_second, now_s, seconds).sum(axis=1, dtype=np.int64)
        return counts

    def by_audience(self) -> "AudienceViews":
        """The views of each audience, to read several windows off."""
        every = self._by_second.sum(axis=0, dtype=np.int64)
        bots = self._by_second[BOT_DEVICE]
        rows = {"human": every - bots, "bot": bots, "all": every}
        return AudienceViews(np.stack([rows[audience] for audience in AUDIENCES]))


class AudienceViews:
    """Events by audience and second, as they were when this was made."""

    def __init__(self, by_second: Array) -> None:
        self._by_second = by_second

    def windows(self, ends: list[tuple[int, int]]) -> Ints:
        """Audience × window, each window given by its last second and its length in seconds."""
        return np.stack([trailing(self._by_second, end, seconds).sum(axis=1) for end, seconds in ends], axis=1)

    def buckets(self, now_s: int, bucket_seconds: int, shown: int) -> Ints:
        """Audience × bucket, oldest first; the running bucket, up to now, is the last."""
        running_start_s = now_s - now_s % bucket_seconds
        closed = trailing(self._by_second, running_start_s - 1, bucket_seconds * (shown - 1))
        closed = closed.reshape(len(self._by_second), shown - 1, bucket_seconds).sum(axis=2)
        running = trailing(self._by_second, now_s, now_s - running_start_s + 1).sum(axis=1, keepdims=True)
        return np.concatenate((closed, running), axis=1)

    def all_by_minute(self, now_s: int, seconds: int) -> Ints:
        """Events of everyone in each minute that the trailing window touches, oldest first; its ends may be cut."""
        minutes = seconds // 60 + 1
        minute = np.arange(now_s - seconds + 1, now_s + 1) // 60 - now_s // 60 + minutes - 1
        counts = trailing(self._by_second[AUDIENCES.index("all")], now_s, seconds)
        return np.bincount(minute, counts, minutes).astype(np.int64)
