"""How long the views of the issue's table take, one after another and by many viewers at once."""

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice, repeat
from typing import Final

from benchmarks.history.views import ZONES, Access, Viewer, choices_of, figures_of_times
from benchmarks.processes import Figures
from services.dashboard.explore.choices import EVERYTHING
from services.dashboard.explore.long_windows.choices import LongChoices, Window
from services.dashboard.sources.history.failure import HistoryFailure

_FILTERED: Final = ("deviceType", "country", "category", "channel")
_THREE: Final = ("deviceType", "country", "category")
_WINDOWS: Final[Sequence[Window]] = ("4h", "24h", "3d", "7d", "30d", "12mo")
_UNTIMED: Final = 5
_PAUSE_SECONDS: Final = 1.0
_NAME: Final = 2
"""Filter by the third most frequent name."""


def one_by_one(access: Access, repetitions: int, report: Callable[[str], None]) -> Figures:
    """Views by a single viewer."""
    with Viewer(access) as viewer:
        singles = [{dimension: _name(viewer, dimension)} for dimension in _FILTERED]
        three: dict[str, str] = {}
        for dimension in _THREE:
            three[dimension] = _name(viewer, dimension, three)  # of those that occur together
        kinds = {
            "view_30d": [choices_of("30d")],
            "view_30d_filtered": [choices_of("30d", own) for own in singles],
            "view_week_visitors": [choices_of("7d", three, measure="visitors")],
        }
        figures: Figures = {}
        for name, choices in kinds.items():
            figures |= figures_of_times(name, _times(viewer, choices, repetitions))
            report(f"{name}: {figures[f'{name}_p50_ms']} ms at the median, {figures[f'{name}_most_ms']} at most")
    return figures


def _name(viewer: Viewer, dimension: str, others: dict[str, str] | None = None) -> str:
    wanted = choices_of("30d", others).wanted if others else EVERYTHING
    names = viewer.names(dimension, wanted)
    return names[min(_NAME, len(names) - 1)]


def _times(viewer: Viewer, choices: Sequence[LongChoices], repetitions: int) -> list[float]:
    """Each of the choices in turn, in changing time zones."""
    views = [(own, zone) for zone in ZONES for own in choices]
    for own, zone in islice(cycle(views), _UNTIMED):
        viewer.view(own, zone)
    return [viewer.view(own, zone) for own, zone in islice(cycle(views), repetitions)]


def at_once(accesses: Sequence[Access], seconds: float) -> Figures:
    """Views by viewers who look at different windows, each with a second between two views."""
    with Viewer(accesses[0]) as viewer:
        names = {dimension: viewer.names(dimension, EVERYTHING) for dimension in _FILTERED}
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(len(accesses), "viewer") as threads:
        found = list(threads.map(_watch, range(len(accesses)), accesses, repeat(names), repeat(until)))
    times = [own for taken, _ in found for own in taken]
    for reason in sorted({reason for _, reasons in found for reason in reasons}):
        print(f"viewer: {reason}", file=sys.stderr)  # noqa: T201 - progress of the command
    return {
        "viewers": len(accesses),
        "viewers_views": len(times),
        **figures_of_times("viewers", times),
        "viewers_errors": sum(len(reasons) for _, reasons in found),
    }


def _watch(
    number: int, access: Access, names: Mapping[str, Sequence[str]], until: float
) -> tuple[list[float], list[str]]:
    """How long each view of a viewer took, and why the others failed."""
    rng = random.Random(number)
    times: list[float] = []
    failures: list[str] = []
    time.sleep(rng.random() * _PAUSE_SECONDS)
    with Viewer(access) as viewer:
        while time.monotonic() < until:
            filtered = rng.sample(_FILTERED, rng.randrange(3))
            wanted = {dimension: rng.choice(names[dimension]) for dimension in filtered}
            choices = choices_of(rng.choice(_WINDOWS), wanted, measure=rng.choice(("views", "visitors")))
            try:
                times.append(viewer.view(choices, ZONES[number % len(ZONES)]))
            except HistoryFailure as failure:
                failures.append(failure.reason)
            time.sleep(_PAUSE_SECONDS)
    return times, failures
