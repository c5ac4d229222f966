"""How the figures of a rollup compare with the same minutes of last week, or else with the previous period. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.cards.change import change, in_words
from services.dashboard.kit.previous_period import is_covered
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import counted
from services.dashboard.sources.history.last_week import LastWeek
from shared.rollups.contract import AudienceRollup
from shared.rollups.model import WINDOW_SECONDS, Meta

_PERIODS: Final = {"5m": "5 min", "15m": "15 min", "30m": "30 min", "1h": "hour"}


@dataclass(frozen=True, slots=True)
class Changes:
    """What figures are compared with; `last_week` is None while history does not tell it."""

    meta: Meta
    windows: AudienceRollup
    last_week: LastWeek | None
    clock: Clock

    def visitors(self, window: str, noun: str) -> str:
        """The change of the distinct visitors of a window, HTML; empty where there is nothing to compare with."""
        before = None if self.last_week is None else self.last_week.visitors.get(window)
        return self._change(self.windows.visitors, window, noun, before)

    def views_15m(self) -> str:
        """The same of the views of a quarter of an hour."""
        return self._change(
            self.windows.views, "15m", "view", None if self.last_week is None else self.last_week.views_15m
        )

    def _change(self, counts: Mapping[str, int], window: str, noun: str, week_before: int | None) -> str:
        now, before, period = counts.get(window, 0), counts.get(f"{window}:prev", 0), _PERIODS[window]
        seconds = WINDOW_SECONDS[window]
        on_prior = _percent(now, before) if before and is_covered(self.meta, self.windows, 2 * seconds) else None
        if self.last_week is None or not week_before or self.meta.coverage_8h_s < seconds:
            tooltip = f"against {counted(before, noun)} in the {period} before"
            return "" if on_prior is None else change(on_prior, f"prior {period}", tooltip)
        against = f"against {counted(week_before, noun)} {self._when(self.last_week.ended_ms, seconds)}"
        also = "" if on_prior is None else f"; against the {period} before: {in_words(on_prior)}"
        return change(_percent(now, week_before), "last week", against + also)

    def _when(self, ended_ms: int, seconds: int) -> str:
        """`on 15 Nov 2026 from 12:55 to 13:00 CET`."""
        start, end = (self.clock.time(instant)[:5] for instant in (ended_ms - 1000 * seconds, ended_ms))
        return f"on {self.clock.day(ended_ms)} from {start} to {end} {self.clock.name(ended_ms)}"


def _percent(now: int, before: int) -> int:
    return round(100 * (now - before) / before)
