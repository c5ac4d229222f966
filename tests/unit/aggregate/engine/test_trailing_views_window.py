"""Trailing views: an event of second s counts in the window of W seconds that ends at T iff T − W < s ≤ T."""

import pytest

from shared.rollups.model import WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS
from tests.support.oracle.timeline import T, click, published

EVERY_WINDOW = pytest.mark.parametrize(("window", "seconds"), WINDOW_SECONDS.items())
EVERY_PREVIOUS = pytest.mark.parametrize(("window", "seconds"), [(w, WINDOW_SECONDS[w]) for w in WINDOWS_WITH_PREVIOUS])


@EVERY_WINDOW
def test_the_oldest_second_of_a_window_is_the_one_after_its_start(window: str, seconds: int) -> None:
    #      T−W−1   T−W   T−W+1                      T
    #  ──────○──────○──────●────────────────────────┤
    #       out    out     in
    assert published(click(T - seconds - 1)).views[window] == 0
    assert published(click(T - seconds)).views[window] == 0
    assert published(click(T - seconds + 1)).views[window] == 1


@EVERY_WINDOW
def test_the_newest_second_of_a_window_is_the_publish_instant(window: str, seconds: int) -> None:
    #     T−W                        T−1    T    T+1
    #  ────┼──────────────────────────●─────●─────○──▶
    #                                in    in   waits
    assert published(click(T - 1)).views[window] == 1
    assert published(click(T)).views[window] == 1
    assert published(click(T + 1)).views[window] == 0
    assert published(click(T + 1), instant=T + seconds).views[window] == 1  # s > T − W, one second later it is not
    assert published(click(T + 1), instant=T + seconds + 1).views[window] == 0


@EVERY_PREVIOUS
def test_the_previous_period_ends_where_the_window_starts(window: str, seconds: int) -> None:
    #    T−2W−1  T−2W  T−2W+1              T−W   T−W+1              T
    #  ─────○──────○──────●─────────────────●──────○────────────────┤
    #      out    out    prev              prev  window
    previous = f"{window}:prev"
    assert published(click(T - 2 * seconds - 1)).views[previous] == 0
    assert published(click(T - 2 * seconds)).views[previous] == 0
    assert published(click(T - 2 * seconds + 1)).views[previous] == 1
    assert published(click(T - seconds)).views[previous] == 1
    assert published(click(T - seconds + 1)).views[previous] == 0


def test_milliseconds_do_not_matter() -> None:
    #     T−300 +999 ms  T−299                T +999 ms
    #  ─────────○────────────┼────────────────────●──▶
    #        previous                          window
    views = published(click(T - 300, plus_ms=999), click(T, plus_ms=999)).views
    assert views["5m"] == 1
    assert views["5m:prev"] == 1


def test_every_event_counts() -> None:
    #     T−300                        T
    #  ─────┼──────────●●────●─────────┤      one visitor, three events
    assert published(click(T - 200), click(T - 200), click(T - 100)).views["5m"] == 3
