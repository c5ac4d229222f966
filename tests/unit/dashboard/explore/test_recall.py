"""Results for the completed minutes are computed once; results for older minutes are dropped."""

import gc
import weakref

from services.dashboard.explore import recall
from services.dashboard.explore.recall import Recall
from services.dashboard.sources.completed_minutes import CompletedMinutes


class Board:
    """A result whose identity and lifetime can be observed."""


def test_a_result_is_computed_once_per_minutes_and_key() -> None:
    boards, minutes = Recall(), CompletedMinutes()
    first, other = boards.of(minutes, "a", Board), boards.of(minutes, "b", Board)
    assert first is not other
    assert boards.of(minutes, "a", Board) is first
    assert boards.of(minutes, "b", Board) is other
    assert boards.of(CompletedMinutes(), "a", Board) is not first


def test_results_of_older_minutes_are_dropped() -> None:
    boards = Recall()
    of_the_past = weakref.ref(boards.of(CompletedMinutes(), "a", Board))
    assert of_the_past() is not None
    boards.of(CompletedMinutes(), "a", Board)
    gc.collect()
    assert of_the_past() is None


def test_the_cache_is_bounded() -> None:
    boards, minutes = Recall(), CompletedMinutes()
    for number in range(10 * recall.MOST_KEPT):
        boards.of(minutes, number, lambda: "board")
    assert len(boards._current[1]) <= recall.MOST_KEPT  # noqa: SLF001
