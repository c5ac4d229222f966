"""Distinct visitors of the period before each trailing window: exact, like those of the window itself.

The windows up to half an hour are read off what is kept anyway: the minutes each visitor was there in, and for the two
minutes that a period's ends cut, the rows. For the hour before the trailing one there is a `LastSeen` that is an hour
behind: it gets each event when that is an hour old.
"""

from typing import Final

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.batch import BOT_DEVICE
from services.aggregate.engine.popularity import HOUR_SECONDS
from services.aggregate.engine.recent import MINUTE_SECONDS, NO_ROWS
from services.aggregate.engine.windows import Windows
from shared.rollups.model import AUDIENCES, MINUTES_SHOWN, WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS

PERIODS: Final = tuple(WINDOW_SECONDS[window] for window in WINDOWS_WITH_PREVIOUS)
assert all(2 * seconds <= MINUTES_SHOWN * MINUTE_SECONDS or seconds == HOUR_SECONDS for seconds in PERIODS)


def visitors_before(windows: Windows) -> Ints:
    """By audience and PERIODS: distinct visitors of the period that ends where the window of that length begins."""
    return np.stack([_before(windows, seconds) for seconds in PERIODS], axis=1)


def _before(windows: Windows, seconds: int) -> Ints:
    last = windows.now_s - seconds
    if seconds == HOUR_SECONDS:
        return windows.last_seen_hour_ago.distinct(last, seconds)
    first = last - seconds + 1
    #     first                                   last
    #  ┆····├────┆─────────┆─────────┆─────────┆───┤·····┆
    #        cut   minutes wholly in the period  cut
    first_whole, first_after = -(-first // MINUTE_SECONDS), (last + 1) // MINUTE_SECONDS
    cut = [
        *windows.recent.by_minute_between(first, first_whole * MINUTE_SECONDS - 1),
        *windows.recent.by_minute_between(first_after * MINUTE_SECONDS, last),
    ]
    # Column by column: to copy whole rows takes many times as long.
    visitor = np.concatenate([rows["visitor"][which] for rows, which in cut] or [NO_ROWS["visitor"]])
    device = np.concatenate([rows["device"][which] for rows, which in cut] or [NO_ROWS["device"]])
    place = windows.recent_visitors.places(visitor.astype(np.int64))
    bots = device == BOT_DEVICE
    own = {"human": place[~bots], "bot": place[bots], "all": place}
    return windows.by_minute.distinct(first_whole, first_after - 1, [own[audience] for audience in AUDIENCES])
