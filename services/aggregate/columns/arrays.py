"""The array types of the windows, and rings of seconds."""

from math import prod
from mmap import mmap
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

_LEAST_MAPPED_BYTES: Final = 262_144
"""Smaller arrays are not worth a mapping of their own."""
RING_SECONDS: Final = 32_768
"""Slots of the rings of the half hours: the power of two above 17 of them (30,600 s)."""


def ring_slots(ring: Array, seconds: Ints) -> Ints:
    """The slots of seconds along a ring's last axis, whose length is a power of two."""
    places: Ints = seconds & (ring.shape[-1] - 1)
    return places


def enter_seconds(ring: Array, first_second: int, last_second: int) -> None:
    """Clear the slots of the seconds from first to last, both included, which are new to the ring."""
    size = ring.shape[-1]
    count = last_second - first_second + 1
    if count >= size:
        ring[...] = 0
    elif count > 0:
        start = first_second & (size - 1)
        ring[..., start : start + count] = 0
        ring[..., : max(0, start + count - size)] = 0


def trailing(ring: Array, last_second: int, seconds: int) -> Array:
    """The slots of the `seconds` seconds up to and including `last_second`, oldest first."""
    size = ring.shape[-1]
    start = (last_second - seconds + 1) & (size - 1)
    if start + seconds <= size:
        return ring[..., start : start + seconds]
    return np.concatenate((ring[..., start:], ring[..., : start + seconds - size]), axis=-1)


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Zeros that take memory only where they are written, page by page.

    Those of numpy do so while their memory is fresh from the system, but what was used before is cleared, which
    writes all of it.
    """
    own = np.dtype(dtype)
    size = prod(shape) * own.itemsize
    if size < _LEAST_MAPPED_BYTES:
        return np.zeros(shape, own)
    return np.frombuffer(mmap(-1, size), own).reshape(shape)


def grown(array: Array, size: int, fill: int = 0) -> Array:
    """`array` with a length of at least `size` along its last axis, new places filled with `fill`."""
    capacity = array.shape[-1]
    if size <= capacity:
        return array
    # By a quarter: these arrays are most of what a visitor costs in memory.
    shape = (*array.shape[:-1], max(size, capacity + capacity // 4, 1024))
    if fill:
        larger = np.full(shape, fill, dtype=array.dtype)
        larger[..., :capacity] = array
        return larger
    larger = zeros(shape, array.dtype)
    for row in np.ndindex(array.shape[:-1]):
        if array[row].view(np.uint8).any():
            larger[row][:capacity] = array[row]
    return larger


def count_at(counts: Array, places: Ints, by: int = 1) -> None:
    """Add `by` to a one-dimensional array at each of `places`, which may repeat."""
    # A number of another type than the array's takes numpy's slow path, at ten times the cost.
    np.add.at(counts, places, counts.dtype.type(by))


def run_starts(*sorted_columns: Array) -> Ints:
    """The places where a run of rows starts that are equal in every column. Equal rows are adjacent."""
    size = len(sorted_columns[0])
    begins = np.zeros(size, np.bool_)
    begins[:1] = True
    for column in sorted_columns:
        begins[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(begins)
