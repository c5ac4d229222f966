"""Marker clicks: sparse clicks that can be found one by one in Redis, to measure the latency of each.

Each marker product has one visitor and so one partition, where its clicks stay in order. All of them are bots, and no
other bot views a product, so `rollup:bot:products:1h` counts only markers: a count of n means that exactly the first n
clicks of the product are published. Pure: times are arguments.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.events.time_units import HOUR_MS

MARKERS: Final = 25
"""Few enough for the published top 100, enough for every partition to have some."""

USER_AGENT: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@dataclass(frozen=True, slots=True)
class Made:
    """What a producer sent."""

    started_ms: int  # epoch
    clicks: int  # markers included
    seconds: float  # from the first click to the last
    cpu_seconds: float  # of its whole process
    most_delay_ms: float  # the longest delay of a click after its due time
    markers: dict[str, list[int]]  # times (epoch ms, ascending) by product


@dataclass(frozen=True, slots=True)
class Sighting:
    """A publish as seen: its instant, when it was seen (both epoch ms), and the clicks of each marker product."""

    as_of_ms: int
    seen_at_ms: float
    counts: Mapping[str, int]  # of the trailing hour


@dataclass(frozen=True, slots=True)
class Latency:
    """When a marker was sent (epoch ms), and how long it took to be seen."""

    made_at_ms: int
    took_ms: float


def product(number: int) -> str:
    """The product of a marker, from 0 to MARKERS."""
    return f"marker-{number:02}"


def latencies(made: Mapping[str, Sequence[int]], sightings: Sequence[Sighting]) -> tuple[list[Latency], int]:
    """The latency of each marker that was seen, in send order, and the number of markers never seen.

    `made` has the times (epoch ms, ascending) by product; `sightings` are in the order seen.
    """
    seen: list[Latency] = []
    missing = 0
    for name, times_ms in made.items():
        known = 0
        for sighting in sightings:
            # An event of second s leaves the trailing hour at s + 3600.
            left = bisect_left(times_ms, sighting.as_of_ms // 1000 * 1000 - HOUR_MS + 1000)
            shown = min(len(times_ms), sighting.counts.get(name, 0) + left)
            seen += [Latency(time_ms, sighting.seen_at_ms - time_ms) for time_ms in times_ms[known:shown]]
            known = max(known, shown)
        missing += len(times_ms) - known
    return sorted(seen, key=lambda latency: latency.made_at_ms), missing


def between(found: Sequence[Latency], from_ms: float, until_ms: float) -> list[float]:
    """Latencies of the markers sent in [from, until), ascending."""
    made = [latency.made_at_ms for latency in found]
    return sorted(latency.took_ms for latency in found[bisect_left(made, from_ms) : bisect_left(made, until_ms)])


def quantile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed; NaN without values."""
    return ascending[math.ceil(share * len(ascending)) - 1] if ascending else math.nan
