"""What a viewer of Explore's long windows waits for."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Final, Self
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.markers import quantile
from benchmarks.processes import Figures
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.long_windows.answers import Said
from services.dashboard.explore.long_windows.choices import LongChoices, Questions, Window, intervals_of, questions
from services.dashboard.kit.time_zones import Clock
from services.dashboard.sources.history.answers import WORKERS
from services.dashboard.sources.history.client import HistoryClient
from services.dashboard.sources.history.questions import Question

ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
_PAGE_WAITS_SECONDS: Final = 0.4
"""The page asks for its totals first, and for the rest when they are there or after this."""


_ANSWER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is, and a key."""

    url: str
    key: str


class Viewer:
    """Asks for the views of one page, always anew."""

    def __init__(self, access: Access) -> None:
        self._client = HistoryClient(access.url, access.key, _ANSWER_SECONDS)
        self._workers = ThreadPoolExecutor(WORKERS, "question")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown()

    def view(self, choices: LongChoices, zone: str) -> float:
        """Ask all that the page asks for one view. Returns the seconds until all answered; raises HistoryFailure."""
        asked = questions(choices, Clock(ZoneInfo(zone)), site="")
        began = time.perf_counter()
        totals = self._workers.submit(self._ask, asked.totals)
        with suppress(TimeoutError):
            totals.result(_PAGE_WAITS_SECONDS)
        others = [self._workers.submit(self._ask, own) for own in _others(asked)]
        wait([totals, *others])
        took = time.perf_counter() - began
        for own in (totals, *others):
            own.result()
        return took

    def names(self, dimension: str, wanted: Filter) -> Sequence[str]:
        """The most frequent names of the last 30 days."""
        choices = LongChoices(window="30d", interval="day", breakdown=dimension, wanted=wanted)
        asked = questions(choices, Clock(ZoneInfo(ZONES[0])), site="").ranked
        return [row.name for row in self._ask(asked).rows if row.name]

    def _ask(self, question: Question) -> Said:
        return msgspec.json.decode(self._client.ask(question), type=Said)


def _others(asked: Questions) -> Iterator[Question]:
    """Those besides the totals, in the order of the page."""
    parts = (getattr(asked, part.name) for part in fields(asked) if part.name != "totals")
    return (own for own in parts if own is not None)


def choices_of(window: Window, names: Mapping[str, str] = {}, **others: str) -> LongChoices:
    """The usual choices of a window, with one name of some dimensions as filters."""
    wanted = Filter(names=tuple((dimension, frozenset({name})) for dimension, name in names.items()))
    return LongChoices(window=window, interval=intervals_of(window)[0], wanted=wanted, **others)  # type: ignore[arg-type]


def figures_of_times(name: str, seconds: Sequence[float]) -> Figures:
    """Median, 99th percentile and maximum in ms."""
    ascending = [1000 * own for own in sorted(seconds)]
    shares = {"p50": 0.5, "p99": 0.99, "most": 1.0}
    return {f"{name}_{share}_ms": round(quantile(ascending, part), 1) for share, part in shares.items()}
