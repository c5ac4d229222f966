"""What events add to the rollups of traffic: exact, however little is remembered, and whatever was stored before."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.history.traffic import DIMENSIONS, NO_NAME, SPANS, Events, Increments, Seen

AMPLE = 1 << 30
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


class Event(NamedTuple):
    minute: int
    visitor: int
    site: int
    category: int
    page: int


def columns(events: Sequence[Event]) -> Events:
    names = np.full((len(DIMENSIONS) - 1, len(events)), NO_NAME, np.int64)
    names[DIMENSIONS.index("category") - 1] = [own.category for own in events]
    names[DIMENSIONS.index("page") - 1] = [own.page for own in events]
    minutes, visitors, sites = (np.array([own[place] for own in events], np.int64) for place in range(3))
    return Events(minutes, visitors, sites, names)


class Rollups:
    """Rollups that are counted through `Seen`, and the raw events under them."""

    def __init__(self, most_bytes: int = AMPLE) -> None:
        self.most_bytes = most_bytes
        self.stored: dict[date, list[Event]] = {}
        self.counted: Counter[tuple[Any, ...]] = Counter()
        self.asked: list[list[int]] = []
        self.restart()

    def restart(self) -> None:
        self.seen = Seen(self.most_bytes)

    def add(self, *events: Event, day: date = MONDAY) -> None:
        stored = self.stored.setdefault(day, [])

        def earlier(visitors: list[int]) -> Events:
            self.asked.append(visitors)
            return columns([own for own in stored if own.visitor in visitors])

        increments = self.seen.add(day, columns(events), lambda: not stored, earlier)
        for span, own in zip(SPANS, increments, strict=True):
            self._count(span, day, own)
        stored += events

    def _count(self, span: str, day: date, own: Increments) -> None:
        for start, site, dimension, name, views, visitors in zip(*(column.tolist() for column in own), strict=True):
            key = (span, day, start, site, DIMENSIONS[dimension], name)
            self.counted[*key, "views"] += views
            self.counted[*key, "visitors"] += visitors

    def expected(self) -> Counter[tuple[Any, ...]]:
        found: Counter[tuple[Any, ...]] = Counter()
        visitors = set()
        for span, length in SPANS.items():
            for day, events in self.stored.items():
                for own in events:
                    names = {"all": 0, "category": own.category, "page": own.page}
                    for dimension, name in names.items():
                        if name != NO_NAME:
                            key = (span, day, own.minute // length * length, own.site, dimension, name)
                            found[*key, "views"] += 1
                            visitors.add((*key, "visitors", own.visitor))
        found.update(key[:-1] for key in visitors)
        return found


EVENTS = st.builds(
    Event,
    st.one_of(st.sampled_from([0, 59, 60, 1439]), st.integers(0, 1439)),
    st.sampled_from([1, 2, 3, 1 << 40]),
    st.sampled_from([0, 7]),
    st.sampled_from([NO_NAME, 1, (1 << 31) - 1]),
    st.integers(NO_NAME, 3),
)
STEPS = st.one_of(
    st.tuples(st.sampled_from([MONDAY, TUESDAY]), st.lists(EVENTS, min_size=1, max_size=6)),
    st.just(Rollups.restart),
)


@given(st.lists(STEPS, max_size=12), st.sampled_from([0, 2000, AMPLE]))
def test_any_batches_and_restarts_and_little_memory_give_what_brute_force_counts(
    steps: list[tuple[date, list[Event]] | Callable[[Rollups], None]], most_bytes: int
) -> None:
    rollups = Rollups(most_bytes)
    for step in steps:
        if isinstance(step, tuple):
            rollups.add(*step[1], day=step[0])
        else:
            step(rollups)
    assert +rollups.counted == rollups.expected()


ADA, BEA = Event(61, 1, 0, 5, 6), Event(62, 2, 0, 5, 6)


def test_nobody_is_looked_up_on_a_day_that_is_followed_from_its_start() -> None:
    rollups = Rollups()
    rollups.add(ADA, BEA)
    rollups.add(ADA, BEA, ADA._replace(minute=700))
    assert rollups.asked == []


def test_a_visitor_is_looked_up_once_after_a_restart() -> None:
    rollups = Rollups()
    rollups.add(ADA, BEA)
    rollups.restart()
    rollups.add(ADA)
    rollups.add(ADA, ADA._replace(minute=700))
    assert rollups.asked == [[1]]
    rollups.add(ADA, BEA)
    assert rollups.asked == [[1], [2]]


def test_too_much_memory_is_freed_by_what_was_used_longest_ago() -> None:
    rollups = Rollups(most_bytes=500_000)
    for day, hours in ((MONDAY, 24), (TUESDAY, 12)):
        for hour in range(hours):
            rollups.add(*(ADA._replace(minute=60 * hour + minute) for minute in range(60)), day=day)
    assert rollups.asked == []
    rollups.add(ADA, day=TUESDAY)
    rollups.add(ADA._replace(minute=1439), day=MONDAY)
    assert rollups.asked == []
    rollups.add(ADA, day=MONDAY)
    assert rollups.asked == [[1]]
    assert +rollups.counted == rollups.expected()


def test_a_dropped_day_is_forgotten() -> None:
    rollups = Rollups()
    rollups.add(ADA)
    rollups.seen.drop([MONDAY, TUESDAY])
    rollups.add(ADA)
    assert rollups.asked == [[1]]
