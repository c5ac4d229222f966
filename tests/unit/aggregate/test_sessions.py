"""Sessions compared with a naive count at the edges: gaps and hours one second too long or too short."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.batch import NONE
from services.aggregate.engine.recent_visitors import RECENT_SECONDS, RecentVisitors
from services.aggregate.engine.sessions import ENTRY, EXIT, Sessions
from services.aggregate.engine.visits import Visits

BASE_S = 1_795_343_400
PAGES = 3


class Visit(NamedTuple):
    visitor: int
    second: int
    place: int  # in the log
    page: int  # code, or NONE


def naive(visits: list[Visit], now_s: int) -> tuple[list[int], list[list[int]]]:
    """Sessions started in the trailing hour: their number, those of one event, their events, their seconds.

    Then those by entry and by exit page.
    """
    sessions: list[list[Visit]] = []
    for visit in sorted(visits):
        last = sessions[-1][-1] if sessions else None
        if last and last.visitor == visit.visitor and visit.second - last.second < 1800:
            sessions[-1].append(visit)
        else:
            sessions.append([visit])
    started = [session for session in sessions if session[0].second > now_s - 3600]
    pages = [[visit.page for visit in session if visit.page != NONE] for session in started]
    return [
        len(started),
        sum(len(session) == 1 for session in started),
        sum(map(len, started)),
        sum(session[-1].second - session[0].second for session in started),
    ], [[sum(own[place] == page for own in pages if own) for page in range(PAGES)] for place in (0, -1)]


def columns_of(visits: list[Visit]) -> Visits:
    columns = np.array(visits, np.int64).reshape(-1, 4)
    return Visits(columns[:, 0], columns[:, 1], columns[:, 1] * 1000, columns[:, 3])


NEAR = st.sampled_from([0, 1, 899, 900, 901, 1799, 1800, 1801, 3598, 3599, 3600, 3601, 5398, 5399, 5400, 5401, 7200])


@given(data=st.data())
@settings(max_examples=300)
def test_any_order_and_any_clock_give_the_naive_count(data: st.DataObject) -> None:
    sessions, folded, now_s = Sessions(1), list[Visit](), BASE_S
    for _ in range(data.draw(st.integers(1, 8), label="batches")):
        elapsed_s = data.draw(NEAR, label="elapsed")
        sessions.enter(now_s + 1, now_s + elapsed_s)
        leaving = [visit for visit in sorted(folded) if now_s < visit.second + 3600 <= now_s + elapsed_s]
        sessions.leave([columns_of(leaving)], now_s + 1 - 3600, now_s + elapsed_s - 3600)
        now_s += elapsed_s
        ago = st.tuples(
            st.integers(0, 2), st.tuples(NEAR, st.sampled_from([0, 0, 1, 1800])), st.integers(NONE, PAGES - 1)
        )
        batch = sorted(
            Visit(visitor, now_s - sum(seconds), len(folded) + place, page)
            for place, (visitor, seconds, page) in enumerate(data.draw(st.lists(ago, max_size=6)))
        )
        sessions.fold([columns_of(batch)], 3, now_s)
        folded += batch
        if data.draw(st.booleans(), label="forget and save"):
            last_s = [
                max((visit.second for visit in folded if visit.visitor == number), default=0) for number in range(3)
            ]
            sessions.forget(np.flatnonzero(np.array(last_s) <= now_s - RECENT_SECONDS))
            saved = {name: array.copy() for name, array in sessions.save().items()}
            sessions = Sessions(1)
            sessions.load(saved)
            sessions.count_again(now_s)
        figures, pages = naive(folded, now_s)
        assert sessions.figures(now_s)[0].tolist() == figures
        assert [sessions.pages(kind, PAGES)[0].tolist() for kind in (ENTRY, EXIT)] == pages


def test_slots_are_freed_and_reused() -> None:
    recent = RecentVisitors()
    last_seen_s = np.zeros(20_000, np.int64)
    for hour in range(20):
        now_s = BASE_S + hour * 7200
        recent.forget(last_seen_s, now_s - RECENT_SECONDS + 1)
        visitors = np.arange(hour * 1000, (hour + 1) * 1000)
        slots = recent.slots(np.concatenate((visitors, visitors)))
        assert len(set(slots.tolist())) == 1000
        assert (slots[:1000] == slots[1000:]).all()
        last_seen_s[visitors] = now_s
        saved, recent = recent.save(), RecentVisitors()
        recent.load({name: array.copy() for name, array in saved.items()})
    assert recent.capacity == 1000
