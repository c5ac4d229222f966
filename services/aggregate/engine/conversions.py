"""Conversions and converting visitors of each goal, over any trailing window.

Visitors have a slot here only once they convert: most never do.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from services.aggregate.columns.arrays import (
    RING_SECONDS,
    Array,
    Ints,
    count_at,
    enter_seconds,
    grown,
    ring_slots,
)
from services.aggregate.columns.batch import ROW, is_bot
from services.aggregate.columns.slot_allocator import SlotAllocator
from services.aggregate.engine.views import AudienceViews
from services.aggregate.engine.visitors import LastSeen
from services.aggregate.engine.visits import SortedVisits
from services.aggregate.engine.window import Events, Forgotten, Step
from shared.rollups.model import AUDIENCES

_NOBODY: Final = SortedVisits.of(np.empty(0, ROW)).visits
_LAST_SEEN: Final = "last_seen"


class Conversions:
    """See `Window`. Goals are by the place of their bit in the rows."""

    name: Final = "conversions"

    def __init__(self, goals: int) -> None:
        self._goals = goals
        self._by_second = np.zeros((goals, 2, RING_SECONDS if goals else 0), np.int32)  # human, bot
        self._last_seen = LastSeen(goals * len(AUDIENCES), RING_SECONDS if goals else 0)
        self._slot = np.full(0, -1, np.int32)  # by visitor code; -1: has not converted
        self._slots = SlotAllocator()

    def enter(self, step: Step) -> None:
        """See `Window`."""
        if self._goals:
            enter_seconds(self._by_second, step.first_second, step.last_second)
            self._last_seen.enter(step.first_second, step.last_second)

    def fold(self, events: Events) -> None:
        """See `Window`."""
        if not self._goals:
            return
        converting = np.flatnonzero(events.rows["goals"])
        if not len(converting):
            return
        rows, second = events.rows[converting], events.second[converting]
        goals, bot = rows["goals"], is_bot(rows).astype(np.int64)
        self._reserve(rows["visitor"])
        visits = [_NOBODY] * (self._goals * len(AUDIENCES))
        for goal in range(self._goals):
            reached = goals & np.uint32(1 << goal) != 0
            if not reached.any():
                continue
            by_second = self._by_second[goal].reshape(-1)
            count_at(by_second, bot[reached] * RING_SECONDS + ring_slots(self._by_second, second[reached]))
            own = SortedVisits.of(rows[reached])
            grouped = own.numbered(self._slot[own.visits.visitor].astype(np.int64)).grouped()
            visits[goal * len(AUDIENCES) : (goal + 1) * len(AUDIENCES)] = grouped.by_audience
        self._last_seen.fold(visits, self._slots.capacity, events.now_s)

    def _reserve(self, visitors: Array) -> None:
        """Give a slot to the visitor codes without one."""
        self._slot = grown(self._slot, int(visitors.max()) + 1, fill=-1)
        newcomers = np.unique(visitors[self._slot[visitors] < 0])
        self._slot[newcomers] = self._slots.allocate(len(newcomers))

    def forget(self, forgotten: Forgotten) -> None:
        """See `Window`."""
        codes = forgotten.codes[forgotten.codes < len(self._slot)]
        slots = self._slot[codes].astype(np.int64)
        if (slots >= 0).any():
            self._last_seen.forget(slots[slots >= 0])
            self._slot[codes] = -1
            self._settle()

    def conversions(self, ends: list[tuple[int, int]]) -> Ints:
        """Goal × audience × window, each window given by its last second and its length in seconds."""
        return self._by_audience(self._views().windows(ends)) if self._goals else self._none(len(ends))

    def by_bucket(self, now_s: int, bucket_seconds: int, shown: int) -> Ints:
        """Goal × audience × bucket, oldest first; the running bucket, up to now, is the last."""
        if not self._goals:
            return self._none(shown)
        return self._by_audience(self._views().buckets(now_s, bucket_seconds, shown))

    def visitors(self, now_s: int, windows: list[int]) -> Ints:
        """Converting visitors: goal × audience × window, each window given by its length in seconds."""
        if not self._goals:
            return self._none(len(windows))
        counts = np.stack([self._last_seen.distinct(now_s, seconds) for seconds in windows], axis=1)
        return counts.reshape(self._goals, len(AUDIENCES), len(windows))

    def _views(self) -> AudienceViews:
        return AudienceViews(self._by_second.reshape(2 * self._goals, RING_SECONDS))

    def _by_audience(self, counts: Ints) -> Ints:
        human, bot = counts.reshape(self._goals, 2, -1).astype(np.int64).transpose(1, 0, 2)
        own = {"human": human, "bot": bot, "all": human + bot}
        return np.stack([own[audience] for audience in AUDIENCES], axis=1)

    def _none(self, length: int) -> Ints:
        return np.zeros((0, len(AUDIENCES), length), np.int64)

    def _settle(self) -> None:
        self._slots.settle(self._slot[self._slot >= 0].astype(np.int64))

    def save(self) -> dict[str, Array]:
        """See `Window`."""
        if not self._goals:
            return {}
        last_seen = {f"{_LAST_SEEN}.{name}": array for name, array in self._last_seen.save().items()}
        return {"by_second": self._by_second, "slot": self._slot, **last_seen}

    def load(self, saved: Mapping[str, Array]) -> None:
        """See `Window`."""
        if not self._goals:
            return
        self._by_second, self._slot = saved["by_second"], saved["slot"]
        prefix = f"{_LAST_SEEN}."
        own = {name.removeprefix(prefix): array for name, array in saved.items() if name.startswith(prefix)}
        self._last_seen.load(own)
        self._settle()
