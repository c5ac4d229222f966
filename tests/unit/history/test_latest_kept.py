"""What is kept of segments takes no more than it may, and goes with them."""

import numpy as np
import pytest

from services.history.columns.kept import Key
from services.history.latest_kept import LatestKept

FIRST, SECOND, THIRD = (Key(object(), "page_id", value) for value in range(3))
ARRAY = np.zeros(1_000, np.uint8)
ROOM_FOR_TWO = 3_000


def made(kept: LatestKept) -> list[bool]:
    """Which are there."""
    return [bool(kept.find([key])) for key in (FIRST, SECOND, THIRD)]


def test_what_was_not_used_for_longest_is_dropped() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    kept.add({FIRST: ARRAY, SECOND: ARRAY})
    kept.find([FIRST])
    kept.add({THIRD: ARRAY})
    assert made(kept) == [True, False, True]
    assert 2 * ARRAY.nbytes < kept.memory_bytes <= ROOM_FOR_TWO


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    kept.add({FIRST: np.zeros(ROOM_FOR_TWO, np.uint8)})
    assert made(kept) == [False, False, False]
    assert kept.memory_bytes == 0


def test_arrays_without_values_take_memory_too() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    kept.add({Key(object(), "page_id", value): np.zeros(0) for value in range(1_000)})
    assert len(kept) < 30


def test_the_same_again_is_counted_once() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    kept.add({FIRST: ARRAY})
    before = kept.memory_bytes
    kept.add({FIRST: ARRAY})
    assert kept.memory_bytes == before


def test_only_the_segments_that_are_there_are_kept() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    kept.add({FIRST: ARRAY, SECOND: ARRAY})
    kept.keep_only({SECOND.owner})
    assert made(kept) == [False, True, False]
    kept.add({FIRST: ARRAY})  # by a question that began before
    assert made(kept) == [False, True, False]
    kept.keep_only(set())
    assert kept.memory_bytes == 0


def test_it_is_made_once_and_nobody_changes_it() -> None:
    kept = LatestKept(ROOM_FOR_TWO)
    found = kept.of(FIRST, lambda: np.arange(3))
    assert kept.of(FIRST, lambda: pytest.fail("it is there")) is found
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
