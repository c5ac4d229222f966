"""What is made of the closed minutes is made once, and does not keep minutes of the past in memory."""

import gc
import weakref

from services.dashboard.explore import recall
from services.dashboard.explore.recall import Recall
from services.dashboard.sources.closed_minutes import ClosedMinutes


class Board:
    """Something that can be seen to be the same, or gone."""


def test_what_is_made_of_the_same_minutes_is_made_once_for_each_key() -> None:
    boards, minutes = Recall(), ClosedMinutes()
    first, other = boards.of(minutes, "a", Board), boards.of(minutes, "b", Board)
    assert first is not other
    assert boards.of(minutes, "a", Board) is first
    assert boards.of(minutes, "b", Board) is other
    assert boards.of(ClosedMinutes(), "a", Board) is not first


def test_minutes_of_the_past_are_let_go() -> None:
    boards = Recall()
    of_the_past = weakref.ref(boards.of(ClosedMinutes(), "a", Board))
    assert of_the_past() is not None
    boards.of(ClosedMinutes(), "a", Board)
    gc.collect()
    assert of_the_past() is None


def test_choices_without_end_do_not_fill_the_memory() -> None:
    boards, minutes = Recall(), ClosedMinutes()
    for number in range(10 * recall.MOST_KEPT):
        boards.of(minutes, number, lambda: "board")
    assert len(boards._current[1]) <= recall.MOST_KEPT  # noqa: SLF001
