"""Future events: up to 60 s ahead of its arrival an event waits for its second; further ahead it is a dead letter."""

import pytest

from tests.support.oracle.timeline import T, Timeline, click


@pytest.mark.parametrize(("ahead_ms", "is_refused"), [(59_999, False), (60_000, False), (60_001, True)])
def test_a_minute_ahead_is_the_most(ahead_ms: int, is_refused: bool) -> None:
    #   arrives T                    T+60 s   +1 ms
    #  ─────────┼──────────────────────●───────○──▶
    #                                waits  dead letter
    timeline = Timeline(T)
    timeline.arrive(T, click(T, plus_ms=ahead_ms))
    meta = timeline.publish(T + 120).meta
    assert (meta.dead_letters, meta.counted) == ((1, 0) if is_refused else (0, 1))
    assert timeline.everyone(T + 120).views["5m"] == meta.counted


def test_an_event_waits_for_its_second() -> None:
    #   arrives T        T+59   T+60
    #  ─────────┼──────────┤──────●──▶
    #                    waits  counts
    timeline = Timeline(T)
    timeline.arrive(T, click(T + 60, productId="p1"))
    figures = timeline.everyone(T + 59)
    assert (figures.views["5m"], figures.visitors["5m"], figures.sessions.started_1h) == (0, 0, 0)
    assert figures.products_1h == {}
    assert timeline.publish(T + 59).meta.counted == 1  # it was read and kept
    assert timeline.publish(T + 59).latest_events == []
    figures = timeline.everyone(T + 60)
    assert (figures.views["5m"], figures.visitors["5m"], figures.sessions.started_1h) == (1, 1, 1)
    assert figures.products_1h == {"p1": 1}
    assert timeline.publish(T + 60).latest_events[0]["timestamp"] == (T + 60) * 1000


def test_waiting_events_count_one_second_after_the_other() -> None:
    #   arrive T     T+1    T+2    T+3
    #  ────────┼──────●──────●●─────●──▶
    timeline = Timeline(T)
    timeline.arrive(T, *(click(T + ahead) for ahead in (3, 2, 1, 2)))
    assert [timeline.everyone(T + ahead).views["5m"] for ahead in range(5)] == [0, 1, 3, 4, 4]
