"""Distinct visitors: each user counts once in a window, however its events lie; never summed over buckets."""

import pytest

from shared.rollups.model import WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS
from tests.support.oracle.timeline import NOON, T, Timeline, click, published

EVERY_WINDOW = pytest.mark.parametrize(("window", "seconds"), WINDOW_SECONDS.items())
EVERY_PREVIOUS = pytest.mark.parametrize(("window", "seconds"), [(w, WINDOW_SECONDS[w]) for w in WINDOWS_WITH_PREVIOUS])


@EVERY_WINDOW
def test_a_visitor_leaves_a_window_with_the_last_of_its_events(window: str, seconds: int) -> None:
    #        T−W   T−W+1                     T
    #  ───────○──────●───────────────────────●────▶
    #        bea    ada                     cyd
    events = [click(T - seconds, "bea"), click(T - seconds + 1, "ada"), click(T, "cyd")]
    assert published(*events).visitors[window] == 2
    assert published(*events, instant=T + 1).visitors[window] == 1  # ada's turn
    assert published(*events, instant=T + seconds - 1).visitors[window] == 1
    assert published(*events, instant=T + seconds).visitors[window] == 0


@EVERY_WINDOW
def test_a_visitor_counts_once(window: str, seconds: int) -> None:
    #        T−W+1                           T
    #  ────────●─────────────●───────────────●
    #         ada           ada             ada
    assert published(*(click(T - ago) for ago in (seconds - 1, seconds // 2, 0))).visitors[window] == 1


def test_an_older_event_that_arrives_later_does_not_take_a_visitor_out() -> None:
    #     T−301  T−300  T−299                T
    #  ─────○──────┼──────●──────────────────┤
    #     2nd            1st to arrive
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 299))
    timeline.arrive(T, click(T - 301))
    assert timeline.everyone(T).visitors["5m"] == 1
    assert timeline.everyone(T + 1).visitors["5m"] == 0


@EVERY_PREVIOUS
def test_the_previous_period_has_its_own_visitors(window: str, seconds: int) -> None:
    #     T−2W  T−2W+1                   T−W  T−W+1                T
    #  ─────○──────●──────────────────────●─────○──────────────────┤
    #      out    prev                   prev  window
    previous = f"{window}:prev"
    assert published(click(T - 2 * seconds)).visitors[previous] == 0
    assert published(click(T - 2 * seconds + 1)).visitors[previous] == 1
    assert published(click(T - seconds)).visitors[previous] == 1
    assert published(click(T - seconds + 1)).visitors[previous] == 0


@EVERY_PREVIOUS
def test_the_clock_moves_a_visitor_into_the_previous_period_and_out_of_it(window: str, seconds: int) -> None:
    #     T                         T+W−1  T+W                  T+2W−1  T+2W
    #  ───●───────── window ──────────┼─────┼───── previous ───────┼─────┼──▶
    timeline = Timeline(T)
    timeline.arrive(T, click(T))
    found = []
    for instant in (T, T + seconds - 1, T + seconds, T + 2 * seconds - 1, T + 2 * seconds):
        visitors = timeline.everyone(instant).visitors
        found.append((visitors[window], visitors[f"{window}:prev"]))
    assert found == [(1, 0), (1, 0), (0, 1), (0, 1), (0, 0)]


@EVERY_PREVIOUS
def test_a_visitor_of_both_periods_counts_in_both(window: str, seconds: int) -> None:
    #     T−2W                      T−W                            T
    #  ─────┼──────●─────────●───────┼──────────────●──────────────┤
    #             ada       ada                    ada
    visitors = published(click(T - 2 * seconds + 1), click(T - seconds), click(T - 1)).visitors
    assert visitors[window] == visitors[f"{window}:prev"] == 1


def test_by_minute_a_visitor_counts_in_each_of_its_minutes() -> None:
    #   12:00              12:01              12:02
    #  ───┼──●───────────●───┼●─────────────────┼──▶
    #       ada         ada   ada
    minutes = published(click(NOON + 1), click(NOON + 59), click(NOON + 60)).visitors_1m
    assert {start: visitors for start, visitors in minutes.items() if visitors} == {
        NOON * 1000: 1,
        (NOON + 60) * 1000: 1,
    }


def test_by_half_hour_a_visitor_counts_in_each_of_its_half_hours() -> None:
    #   11:30                 12:00
    #  ───┼──●───────────────●───┼●──────────●──┤ T
    #       ada             ada   ada       bea
    events = [click(NOON - 1799), click(NOON - 1), click(NOON), click(T, "bea")]
    half_hours = published(*events).visitors_30m
    assert {start: visitors for start, visitors in half_hours.items() if visitors} == {
        (NOON - 1800) * 1000: 1,
        NOON * 1000: 2,
    }


def test_an_audience_counts_the_visitors_of_its_own_events() -> None:
    #     T−300                              T
    #  ─────┼──────●──────────●──────────────┤
    #             ada        ada
    #           (desktop)   (bot)
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 200), click(T - 100, deviceType="Bot"))
    audiences = timeline.publish(T).audiences
    assert [audiences[name].visitors["5m"] for name in ("human", "bot", "all")] == [1, 1, 1]
    audiences = timeline.publish(T + 100).audiences  # the desktop event is 300 s old
    assert [audiences[name].visitors["5m"] for name in ("human", "bot", "all")] == [0, 1, 1]
