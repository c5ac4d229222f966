"""Forgets what no window refers to any more, which keeps memory proportional to the traffic of the last hours."""

from typing import Final

import numpy as np

from services.aggregate.columns.dimensions import OPEN_DIMENSIONS
from services.aggregate.columns.names import OTHER_CODE
from services.aggregate.encoding.encoder import VISITOR_REMEMBERED_SECONDS, Encoder
from services.aggregate.engine.recent_visitors import RECENT_SECONDS
from services.aggregate.engine.window import Forgotten
from services.aggregate.engine.windows import Windows

_UNUSED_SHARE: Final = 8
"""Names are forgotten once an eighth of the codes is theirs, or no more fit: each time the list of names is copied."""


def compact(encoder: Encoder, windows: Windows) -> None:
    """Forget visitors and names that nothing refers to. Their codes are reused: a checkpoint has to follow."""
    _forget_visitors(encoder, windows)
    for dimension in OPEN_DIMENSIONS:
        _forget_names(encoder, windows, dimension.name)


def _forget_visitors(encoder: Encoder, windows: Windows) -> None:
    codes = encoder.visitors.capacity
    last_seen = np.zeros(codes, np.int64)
    known = windows.last_seen.statistic.last()[:codes]
    last_seen[: len(known)] = known
    slots = windows.recent_visitors.forget(last_seen, windows.now_s - RECENT_SECONDS + 1)
    last_seen[windows.waiting.rows["visitor"]] = windows.now_s
    gone = encoder.visitors.forget(last_seen, windows.now_s - VISITOR_REMEMBERED_SECONDS)
    windows.forget(Forgotten(gone, slots))


def _forget_names(encoder: Encoder, windows: Windows, dimension: str) -> None:
    names = encoder.names.names.of(dimension)
    in_use = windows.codes_in_use(dimension, len(names))
    in_use[OTHER_CODE] = True
    in_use[names.free] = True
    unused = np.flatnonzero(~in_use)
    if not len(unused) or (len(unused) * _UNUSED_SHARE < len(names) and not names.is_full):
        return
    assert windows.popularity.has_none(dimension, unused)
    encoder.names.forget(dimension, unused)
    windows.forget_names(dimension, unused)
