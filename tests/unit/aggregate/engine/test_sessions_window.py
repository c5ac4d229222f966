"""Sessions: a visitor's events with gaps under 1,800 s; `_1h` is over those whose first event is in the hour."""

import pytest

from shared.rollups.model import Sessions
from tests.support.oracle.timeline import NOON, T, Timeline, click, published


@pytest.mark.parametrize(("gap", "started"), [(1799, 1), (1800, 2), (1801, 2)])
def test_a_gap_of_half_an_hour_starts_a_new_session(gap: int, started: int) -> None:
    #       ├──── 1,799 s ────┤          one session
    #       ├──── 1,800 s ─────┤         two
    #  ─────●──────────────────●─────┤ T
    assert published(click(T - gap), click(T)).sessions.started_1h == started


@pytest.mark.parametrize(("gap", "started"), [(1799, 1), (1800, 2)])
def test_a_gap_is_measured_in_whole_seconds(gap: int, started: int) -> None:
    #     T−1,800 +999 ms                 T
    #  ───────●───────────────────────────●─┤    1,799.001 s later, in the 1,800th second after it
    assert published(click(T - gap, plus_ms=999), click(T)).sessions.started_1h == started


def test_each_visitor_has_its_own_sessions() -> None:
    #  ─────●─────────●─────┤ T
    #      ada       bea
    assert published(click(T - 60), click(T - 30, "bea")).sessions.started_1h == 2


def test_a_late_event_joins_two_sessions() -> None:
    #       ├─ 1,500 s ─┤├─ 1,500 s ─┤
    #  ─────●────────────◆───────────●──┤ T
    #      1st       3rd to arrive  2nd
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 3000), click(T))
    assert timeline.everyone(T).sessions == Sessions(
        active=1, started_1h=2, bounce_rate_1h=1, views_per_session_1h=1, duration_s_1h=0
    )
    timeline.arrive(T, click(T - 1500))
    assert timeline.everyone(T).sessions == Sessions(
        active=1, started_1h=1, bounce_rate_1h=0, views_per_session_1h=3, duration_s_1h=3000
    )


@pytest.mark.parametrize(("to_the_second", "started"), [(1799, 1), (1800, 2)])
def test_a_late_event_joins_two_sessions_only_when_both_gaps_are_short(to_the_second: int, started: int) -> None:
    #       ├── 1,000 s ──┤├── 1,799 s or 1,800 s ──┤
    #  ─────●──────────────◆────────────────────────●──┤ T
    timeline = Timeline(T)
    timeline.arrive(T, click(T - to_the_second - 1000), click(T))
    timeline.arrive(T, click(T - to_the_second))
    assert timeline.everyone(T).sessions.started_1h == started


def test_an_event_before_the_first_moves_the_start_of_a_session_out_of_the_hour() -> None:
    #       T−4,000    T−3,600                       T
    #  ────────◆───────────┼──────●──────────────────┤
    #         2nd               1st to arrive
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 3000))
    assert timeline.everyone(T).sessions.started_1h == 1
    timeline.arrive(T, click(T - 4000))
    assert timeline.everyone(T).sessions.started_1h == 0


def test_a_session_is_active_while_its_last_event_is_in_the_trailing_half_hour() -> None:
    #     T−1,800  T−1,799                    T
    #  ───────○───────●───────────────────────┤
    #        over   active
    assert published(click(T - 1801)).sessions.active == 0
    assert published(click(T - 1800)).sessions.active == 0
    assert published(click(T - 1799)).sessions.active == 1
    assert published(click(T)).sessions.active == 1


def test_a_session_counts_by_its_first_event() -> None:
    #     T−3,600  T−3,599                        T
    #  ───────○───────●───────────────────────────┤
    #       older  started in the last hour
    assert published(click(T - 3601)).sessions.started_1h == 0
    assert published(click(T - 3600)).sessions.started_1h == 0
    assert published(click(T - 3599)).sessions.started_1h == 1
    assert published(click(T - 3600), click(T - 3599)).sessions.started_1h == 0


def test_a_session_leaves_with_the_clock() -> None:
    #     T                       T+1,799  T+1,800     T+3,599  T+3,600
    #  ───●───────── active ─────────┼────────┼───────────┼────────┼──▶
    timeline = Timeline(T)
    timeline.arrive(T, click(T))
    found = []
    for instant in (T, T + 1799, T + 1800, T + 3599, T + 3600):
        sessions = timeline.everyone(instant).sessions
        found.append((sessions.active, sessions.started_1h))
    assert found == [(1, 1), (1, 1), (0, 1), (0, 1), (0, 0)]


def test_the_figures_are_of_the_sessions_as_they_are_at_the_instant() -> None:
    #            T−600      T−510     T−1   T    T+1
    #  ──────────●──────────●─────────●─────┤─────◆──▶
    #           ada        ada       bea         bea: after T
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 600), click(T - 510), click(T - 1, "bea"), click(T + 1, "bea"))
    assert timeline.everyone(T).sessions == Sessions(
        active=2, started_1h=2, bounce_rate_1h=0.5, views_per_session_1h=1.5, duration_s_1h=45
    )
    assert timeline.everyone(T + 1).sessions == Sessions(
        active=2, started_1h=2, bounce_rate_1h=0, views_per_session_1h=2, duration_s_1h=46
    )


@pytest.mark.parametrize(("second", "bucket"), [(NOON + 299, NOON), (NOON + 300, NOON + 300), (NOON + 599, NOON + 300)])
def test_by_five_minutes_a_session_counts_where_it_started(second: int, bucket: int) -> None:
    #   12:00             12:05             12:10
    #  ───┼───────────────●┼●───────────────●┼──▶
    figures = published(click(second), click(second + 400))
    assert {start: count for start, count in figures.sessions_5m.items() if count} == {bucket * 1000: 1}
    assert {start: count for start, count in figures.durations_5m.items() if count} == {bucket * 1000: 400}
    assert not any(figures.bounces_5m.values())
