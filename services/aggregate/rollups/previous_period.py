"""Distinct visitors of the period before each trailing window, as exact as those of the window.

Periods up to half an hour are read from existing state: the minutes in which each visitor was seen, and the rows
of the two minutes that the ends of the period cut. The hour before the trailing one has a `LastSeen` that runs an hour
behind: it receives each event an hour late.
"""

from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import BOT_DEVICE
from services.aggregate.engine.recent_rows import NO_ROWS
from services.aggregate.engine.windows import Windows
from shared.events.time_units import HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.model import AUDIENCES, MINUTES_SHOWN, WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS

PERIODS: Final = tuple(WINDOW_SECONDS[window] for window in WINDOWS_WITH_PREVIOUS)
assert all(2 * seconds <= MINUTES_SHOWN * MINUTE_SECONDS or seconds == HOUR_SECONDS for seconds in PERIODS)


def visitors_before(windows: Windows) -> Ints:
    """By audience and PERIODS: distinct visitors of the period that ends where the window of that length starts."""
    return np.stack([_before(windows, seconds) for seconds in PERIODS], axis=1)


def _before(windows: Windows, seconds: int) -> Ints:
    last = windows.now_s - seconds
    if seconds == HOUR_SECONDS:
        return windows.last_seen_hour_ago.statistic.distinct(last, seconds)
    first = last - seconds + 1
    #     first                                   last
    #  ┆····├────┆─────────┆─────────┆─────────┆───┤·····┆
    #        cut   minutes wholly in the period  cut
    first_whole, first_after = -(-first // MINUTE_SECONDS), (last + 1) // MINUTE_SECONDS
    cut = [
        *windows.recent_rows.by_minute_between(first, first_whole * MINUTE_SECONDS - 1),
        *windows.recent_rows.by_minute_between(first_after * MINUTE_SECONDS, last),
    ]
    # Column by column: copying whole rows takes many times as long.
    visitor = np.concatenate([rows["visitor"][which] for rows, which in cut] or [NO_ROWS["visitor"]])
    device = np.concatenate([rows["device"][which] for rows, which in cut] or [NO_ROWS["device"]])
    slot = windows.recent_visitors.slots(visitor.astype(np.int64))
    bots = device == BOT_DEVICE
    own = {"human": slot[~bots], "bot": slot[bots], "all": slot}
    return windows.by_minute.statistic.distinct(first_whole, first_after - 1, [own[audience] for audience in AUDIENCES])
