"""The counts by name that trends are read from: those of complete minutes, and those of sessions and visitors."""

from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.engine.last_minutes import PAGE
from services.aggregate.engine.sessions import ENTRY, EXIT
from services.aggregate.engine.windows import Windows
from services.aggregate.rollups.popularity import Popularity
from shared.rollups.model import AUDIENCES

SEEN: Final = slice(0, len(AUDIENCES))
"""By AUDIENCES, of DIMENSIONS_SEEN: distinct visitors of the last minutes."""
ENTRIES: Final = slice(SEEN.stop, SEEN.stop + len(AUDIENCES))
"""By AUDIENCES, of PAGE: sessions by entry page."""
EXITS: Final = slice(ENTRIES.stop, ENTRIES.stop + len(AUDIENCES))


def span_rows(span: int) -> slice:
    """The rows of the events of a span of `MinuteCounts`: of humans, and of bots."""
    return slice(2 * span, 2 * span + 2)


def spans_of(windows: Windows, names: Dictionaries, dimension: str) -> Popularity:
    """The events of the spans of `MinuteCounts`, of one dimension of a partition."""
    own = names.of(dimension)
    return Popularity(own, windows.minute_counts.sums(dimension, len(own)))


def visits_of(windows: Windows, names: Dictionaries, dimension: str) -> Popularity:
    """The counts now of sessions and visitors, of one of DIMENSIONS_SEEN of a partition."""
    own = names.of(dimension)
    codes = len(own)  # read once
    rows: list[Array] = [windows.last_minutes.counts(dimension, codes)]
    if dimension == PAGE:
        rows += [windows.sessions.statistic.pages(kind, codes) for kind in (ENTRY, EXIT)]
    return Popularity(own, np.concatenate(rows))
