"""Reads what was counted a week ago: in the background, a minute ahead, and once for all viewers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from services.dashboard.sources.history.answers import HistoryAnswers, Pace
from services.dashboard.sources.history.last_week import (
    LastWeek,
    Said,
    line_of,
    questions_of,
    read_said,
    visitors_of,
    week_before,
)
from services.dashboard.sources.history.questions import Question
from shared.events.time_units import MINUTE_MS, MINUTE_SECONDS
from shared.rollups.model import Audience, Meta

_WORKERS: Final = 2
"""Requests at a time: half of what history works on (HISTORY_API_QUESTIONS), as others ask too."""

_PACE: Final = Pace(least_life_seconds=10 * MINUTE_SECONDS, retry_seconds=MINUTE_SECONDS, most_kept=2_048)
"""Each minute has questions of its own, so an answer is needed for two minutes, and only late events change it."""


class LastWeekSource:
    """Thread-safe."""

    def __init__(self, ask: Callable[[Question], bytes], elapsed_seconds: Callable[[], float]) -> None:
        """`ask` blocks, and raises HistoryFailure. `elapsed_seconds` is monotonic."""
        self._answers = HistoryAnswers(ask, read_said, elapsed_seconds, _WORKERS, _PACE)

    def of(self, meta: Meta, audience: Audience, zone: tzinfo) -> LastWeek | None:
        """What was counted a week before the rollup of `meta`; None while it is unknown. Never waits."""
        minute_ms = meta.as_of_ms // MINUTE_MS * MINUTE_MS
        site = meta.site or None
        found = self._of_minute(minute_ms, audience, site, zone)
        if found is not None:
            # The next minute is asked for now, so that its line is there when it begins.
            self._of_minute(minute_ms + MINUTE_MS, audience, site, zone)
        return found

    def _of_minute(self, minute_ms: int, audience: Audience, site: str | None, zone: tzinfo) -> LastWeek | None:
        before_ms = week_before(minute_ms, zone)
        if before_ms is None:
            return None
        asked = questions_of(before_ms, audience, site)
        said = self._said(asked.line)
        line = None if said is None else line_of(minute_ms, before_ms, said)
        if line is None:
            return None
        answered = {window: self._said(question) for window, question in asked.visitors.items()}
        visitors = {
            window: count
            for window, said in answered.items()
            if said is not None and (count := visitors_of(before_ms, window, said)) is not None
        }
        return replace(line, visitors=visitors)

    def _said(self, question: Question) -> Said | None:
        (standing,) = self._answers.look([question], 0)
        return standing.said
