"""Forgets what no window refers to any more, which keeps memory proportional to the traffic of the last hours."""

import numpy as np

from services.aggregate.columns.arrays import Bools
from services.aggregate.columns.dimensions import OPEN_DIMENSIONS
from services.aggregate.encoding.encoder import VISITOR_REMEMBERED_SECONDS, Encoder
from services.aggregate.engine.recent_visitors import RECENT_SECONDS
from services.aggregate.engine.window import Forgotten
from services.aggregate.engine.windows import Windows
from shared.rollups.model import AUDIENCES


def compact(encoder: Encoder, windows: Windows) -> None:
    """Forget visitors and names that nothing refers to. Codes change: a checkpoint has to follow."""
    _forget_visitors(encoder, windows)
    for dimension in OPEN_DIMENSIONS:
        _forget_names(encoder, windows, dimension.name)


def _forget_visitors(encoder: Encoder, windows: Windows) -> None:
    codes = encoder.visitors.capacity
    last_seen = np.zeros(codes, np.int64)
    known = windows.last_seen.statistic.last(AUDIENCES.index("all"))[:codes]
    last_seen[: len(known)] = known
    slots = windows.recent_visitors.forget(last_seen, windows.now_s - RECENT_SECONDS + 1)
    last_seen[windows.waiting.rows["visitor"]] = windows.now_s
    gone = encoder.visitors.forget(last_seen, windows.now_s - VISITOR_REMEMBERED_SECONDS)
    windows.forget(Forgotten(gone, slots))


def _forget_names(encoder: Encoder, windows: Windows, dimension: str) -> None:
    in_use = windows.codes_in_use(dimension, len(encoder.names.names.of(dimension)))
    if _is_worthwhile(in_use):
        windows.recode(dimension, in_use, encoder.names.forget(dimension, in_use))


def _is_worthwhile(in_use: Bools) -> bool:
    """Whether at least a quarter of the names is unused. Recoding touches every row."""
    return len(in_use) > 0 and bool(np.count_nonzero(in_use) * 4 <= len(in_use) * 3)
