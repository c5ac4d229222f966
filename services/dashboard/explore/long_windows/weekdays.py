"""Mean views by weekday and hour of the viewer's zone. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.kit.time_zones import Clock

DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Week:
    """By weekday from Monday and hour: the mean of the hours that are over, and how many those are (0: none)."""

    means: Sequence[Sequence[float | None]]
    hours: Sequence[Sequence[int]]

    @property
    def greatest(self) -> float:
        return max((mean for row in self.means for mean in row if mean is not None), default=0.0)


def week_of(said: Said, clock: Clock) -> Week:
    """The means of a series by hour. An hour of UTC counts for the local hour that it begins in."""
    sums = [[0] * HOURS for _ in DAY_NAMES]
    hours = [[0] * HOURS for _ in DAY_NAMES]
    for row in said.rows:
        if row.start is None or row.end is None or row.views is None or said.as_of is None or said.since is None:
            continue
        if not said.since <= row.start or row.end > said.as_of:
            continue
        local = row.start.astimezone(clock.zone)
        sums[local.weekday()][local.hour] += row.views
        hours[local.weekday()][local.hour] += 1
    means = [
        [total / number if number else None for total, number in zip(*pair, strict=True)]
        for pair in zip(sums, hours, strict=True)
    ]
    return Week(means, hours)
