"""The events of a selection as rows, newest first. Pure."""

from typing import Any

import numpy as np

from services.dashboard.explore.counting.selection import Selection
from services.dashboard.sources.segments import Array, Frame


def latest_events(selection: Selection, most: int) -> list[dict[str, Any]]:
    """The `most` latest events of a selection, newest first; a visitor is `partition:number`."""
    timestamps = selection.frame.timestamps
    rows = np.arange(selection.rows.start, selection.rows.stop) if isinstance(selection.rows, slice) else selection.rows
    if len(rows) > most:
        # Rows are ordered by minute: rows before the minute of the last `most` cannot be among them.
        rows = rows[int(np.searchsorted(selection.minutes, selection.minutes[-most])) :]
    newest = rows[np.argsort(timestamps[rows], kind="stable")][::-1][:most]
    frame = selection.frame
    columns = {
        "timestamp": timestamps[newest].tolist(),
        "visitor": [
            f"{partition}:{number}"
            for partition, number in zip(
                frame.partitions[newest].tolist(), frame.visitor_numbers[newest].tolist(), strict=True
            )
        ],
        **{dimension: _texts(frame, dimension, newest) for dimension in frame.names},
        "age": [None if age < 0 else age for age in frame.ages[newest].tolist()],
        "bot": frame.bots[newest].tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _texts(frame: Frame, dimension: str, rows: Array) -> list[str | None]:
    names: list[str | None] = [*frame.names[dimension], None]  # an absent text has code -1, the last
    return [names[code] for code in frame.codes[dimension][rows].tolist()]
