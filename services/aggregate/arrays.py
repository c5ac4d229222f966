"""The array types of the windows, and rings of seconds."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]

RING_SECONDS: Final = 32_768
"""Slots of a ring of seconds: the power of two above 17 half hours (30,600 s), as `second & RING_MASK` is its slot."""
RING_MASK: Final = RING_SECONDS - 1


def enter_seconds(ring: Array, first_second: int, last_second: int) -> None:
    """Clear the slots of the seconds from first to last, both included, which the ring has not held yet."""
    count = last_second - first_second + 1
    if count >= RING_SECONDS:
        ring[...] = 0
    elif count > 0:
        start = first_second & RING_MASK
        ring[..., start : start + count] = 0
        ring[..., : max(0, start + count - RING_SECONDS)] = 0


def trailing(ring: Array, last_second: int, seconds: int) -> Array:
    """The slots of the `seconds` seconds up to and including `last_second`, oldest first."""
    start = (last_second - seconds + 1) & RING_MASK
    if start + seconds <= RING_SECONDS:
        return ring[..., start : start + seconds]
    return np.concatenate((ring[..., start:], ring[..., : start + seconds - RING_SECONDS]), axis=-1)


def grown(array: Array, size: int) -> Array:
    """`array` with room for at least `size` along its last axis, the new places 0."""
    room = array.shape[-1]
    if size <= room:
        return array
    larger = np.zeros((*array.shape[:-1], max(size, room + room // 2, 1024)), dtype=array.dtype)
    larger[..., :room] = array
    return larger
