"""Late events: older than the seventeen half hours up to its arrival, an event is counted as late and dropped."""

import pytest

from tests.support.oracle.timeline import NOON, T, Timeline, click

OLDEST = NOON - 16 * 1800  # 04:00, where the oldest of the seventeen half hours begins at 12:20:17


@pytest.mark.parametrize(("second", "is_late"), [(OLDEST - 1, True), (OLDEST, False), (OLDEST + 1, False)])
def test_the_oldest_half_hour_is_in_time(second: int, is_late: bool) -> None:
    #    03:59:59  04:00:00              12:00   arrives 12:20:17
    #  ─────○─────────●─────── … ──────────┼──────────┤
    #      late    in time
    timeline = Timeline(T)
    timeline.arrive(T, click(second))
    meta = timeline.publish(T).meta
    assert (meta.late, meta.counted) == ((1, 0) if is_late else (0, 1))
    assert sum(timeline.everyone(T).views_30m.values()) == meta.counted


@pytest.mark.parametrize(("arrival", "late"), [(NOON + 1799, 0), (NOON + 1800, 1)])
def test_a_new_half_hour_makes_the_oldest_late(arrival: int, late: int) -> None:
    #    04:00                        12:29:59  12:30:00
    #  ────●────────── … ─────────────────┼─────────┼──▶
    #                       arrives:   in time    late
    timeline = Timeline(arrival)
    timeline.arrive(arrival, click(OLDEST))
    assert timeline.publish(arrival).meta.late == late


def test_arrival_decides_and_not_the_moment_of_reading() -> None:
    #    04:00           arrives 12:20:17       read 12:30:00
    #  ────●────────── … ──────────┼─────────────────┼──▶
    timeline = Timeline(NOON + 1800)  # a service that starts behind, with its clock ahead of what it reads
    timeline.arrive(T, click(OLDEST))
    meta = timeline.publish(NOON + 1800).meta
    assert (meta.late, meta.counted) == (0, 1)


def test_a_late_event_is_in_no_window() -> None:
    #    03:59:59                 12:20:17
    #  ─────○──────── … ─────────────┤
    timeline = Timeline(T)
    timeline.arrive(T, click(OLDEST - 1, productId="p1"))
    rollup = timeline.publish(T)
    figures = rollup.audiences["all"]
    assert not any(figures.views.values())
    assert not any(figures.visitors.values())
    assert (rollup.latest_events, rollup.meta.newest_event_ms, rollup.meta.balances) == ([], 0, True)
