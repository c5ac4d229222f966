"""The names of a partition as parts of a checkpoint: one for a range of codes, written only when it has a new name.

A freed name stays in its part until its code gets another one; a part of its own says which codes are free. So freeing
names rewrites none of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from services.aggregate.columns.dictionaries import Dictionaries, SavedNames, restored
from services.aggregate.columns.names import Mark

CODES_PER_PART: Final = 4_096
_FOLDER: Final = "names/"
_FREE: Final = "free"

_encode = msgspec.msgpack.Encoder().encode
_decode_names = msgspec.msgpack.Decoder(list[Any]).decode


class _Free(msgspec.Struct, array_like=True):
    codes: int  # in use or free
    is_free: bytes  # a bit for each


_decode_free = msgspec.msgpack.Decoder(_Free).decode


def encode_names(names: Dictionaries, saved: Mapping[str, Mark]) -> Iterator[tuple[str, bytes]]:
    """The parts that changed since `saved`, the marks of the last checkpoint; without one, all of them."""
    for dimension, mark in names.marks().items():
        own = names.of(dimension)
        before = saved.get(dimension)
        assigned = np.array(own.changes(before).assigned, np.int64)
        added = np.arange(0 if before is None else before.size, mark.size)  # some may be free again
        for number in np.unique(np.concatenate((assigned, added)) // CODES_PER_PART).tolist():
            first = number * CODES_PER_PART
            yield f"{_FOLDER}{dimension}/{number:08d}", _encode(own[first : min(first + CODES_PER_PART, mark.size)])
        is_free = np.zeros(mark.size, np.bool_)
        is_free[own.free] = True
        yield f"{_FOLDER}{dimension}/{_FREE}", _encode(_Free(mark.size, np.packbits(is_free).tobytes()))


def decode_names(parts: Mapping[str, bytes]) -> SavedNames:
    """All names by dimension and code. Raises KeyError, ValueError or msgspec.MsgspecError for other parts."""
    saved: dict[str, list[Any]] = {}
    for part in sorted(part for part in parts if part.startswith(_FOLDER)):  # "free" follows the numbers
        dimension, number = part.removeprefix(_FOLDER).split("/")
        names = saved.setdefault(dimension, [])
        if number != _FREE:
            if len(names) != int(number) * CODES_PER_PART:
                raise ValueError(f"names of {dimension} are missing before part {number}")
            names += _decode_names(parts[part])
            continue
        free = _decode_free(parts[part])
        if len(names) != free.codes:
            raise ValueError(f"{len(names)} names of {dimension}, not {free.codes}")
        is_free = np.unpackbits(np.frombuffer(free.is_free, np.uint8), count=free.codes)
        for code in np.flatnonzero(is_free).tolist():
            names[code] = None
    return restored(saved)
