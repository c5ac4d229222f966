"""Sets of visitors, which are numbers: a bit for each number, or the numbers themselves, whichever is shorter. Pure."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

VisitorSet = NDArray[Any]
"""Of `uint8`: bits, as numpy packs them. Of wider ones: the numbers, each once."""

_NARROWEST: Final = np.uint32
_SPARSE: Final = 64
"""With fewer visitors than one for so many places, sorting is cheaper than to look through all marks."""


def set_of(visitors: NDArray[np.unsignedinteger], marks: NDArray[np.bool_]) -> VisitorSet:
    """The set of these visitors, some of them more than once. `marks` has a place for each, none marked, as after."""
    if len(visitors) * _SPARSE < len(marks):
        return as_numbers(np.unique(visitors))
    marks[visitors] = True
    number = int(np.count_nonzero(marks))
    is_shorter = len(marks) < 8 * np.dtype(_NARROWEST).itemsize * number
    found = np.packbits(marks) if is_shorter else as_numbers(np.flatnonzero(marks))
    marks[visitors] = False
    return found


def count_together(marks: NDArray[np.bool_], sets: Iterable[VisitorSet]) -> int:
    """How many are marked or in a set. Adds to the marks."""
    packed = []
    for own in sets:
        if own.dtype == np.uint8:
            packed.append(own)
        else:
            marks[own] = True
    if not packed:
        return int(np.count_nonzero(marks))
    bits = np.packbits(marks)
    for own in packed:
        bits[: len(own)] |= own
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def as_numbers(numbers: NDArray[np.integer]) -> VisitorSet:
    """These numbers, each of which is there once, as a set of such."""
    fits = int(numbers.max(initial=0)) <= np.iinfo(_NARROWEST).max
    return numbers.astype(_NARROWEST if fits else np.uint64)
