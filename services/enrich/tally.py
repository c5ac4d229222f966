"""Counts the service's work and logs it: at most one line per interval, whatever the number of events."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.enrich.dead_letters.flood import FloodAlarm
from shared.events.refusals import Reason
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges

logger = get_logger(__name__)

WARNING_INTERVAL_SECONDS: Final = 5.0
PROGRESS_INTERVAL_SECONDS: Final = 60.0


class Tally:
    """Counts enriched events, events without lookups, and dead letters.

    Logs the first dead letter and the first event without lookups at once, later ones once per interval.
    """

    def __init__(
        self, clock: Callable[[], float], flood_alarm: FloodAlarm | None = None, gauges: Gauges | None = None
    ) -> None:
        self._clock = clock
        self._flood_alarm = flood_alarm
        self._gauges = gauges
        self._enriched = 0
        self._missed_so_far = 0
        self._refused: Counter[str] = Counter()
        self._refused_so_far = 0
        self._unknown = 0
        self._unknown_so_far = 0
        self._next_dead_letters = clock()
        self._next_unknown = clock()
        self._next_progress = clock() + PROGRESS_INTERVAL_SECONDS

    def add(self, enriched: int, reasons: Sequence[Reason], missed_so_far: int = 0) -> None:
        """Count a finished batch. `missed_so_far` is the total of events whose lookups were not cached."""
        if self._flood_alarm is not None:
            self._flood_alarm.add(enriched + len(reasons), reasons)
        if self._gauges is not None:
            self._gauges.add_dead_letters(reasons)
            misses = min(enriched, missed_so_far - self._missed_so_far)  # more if some became dead letters
            self._gauges.add_lookups(enriched - misses, misses)
            self._missed_so_far = missed_so_far
        self._enriched += enriched
        self._refused.update(reason.value for reason in reasons)

    def add_unknown(self, events: int) -> None:
        """Count events enriched without their product or visitor because Redis was unavailable."""
        self._unknown += events

    def report(self, lag: Callable[[], Mapping[int, int]]) -> None:
        """Log what is due. Calls `lag` only for a progress line."""
        if self._flood_alarm is not None:
            self._flood_alarm.report()
        now = self._clock()
        if self._refused and now >= self._next_dead_letters:
            self._next_dead_letters = now + WARNING_INTERVAL_SECONDS
            self._log_dead_letters()
        if self._unknown and now >= self._next_unknown:
            self._next_unknown = now + WARNING_INTERVAL_SECONDS
            self._log_unknown()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_INTERVAL_SECONDS
            if self._enriched:
                logger.info("enriched", events=self._enriched, lag=sum(lag().values()))
                self._enriched = 0

    def close(self) -> None:
        """Log what is not logged yet."""
        if self._refused:
            self._log_dead_letters()
        if self._unknown:
            self._log_unknown()
        if self._enriched:
            logger.info("enriched", events=self._enriched)

    def _log_unknown(self) -> None:
        self._unknown_so_far += self._unknown
        logger.warning("enriched without lookups", so_far=self._unknown_so_far, events=self._unknown)
        self._unknown = 0

    def _log_dead_letters(self) -> None:
        self._refused_so_far += self._refused.total()
        logger.warning("dead letters", so_far=self._refused_so_far, **dict(sorted(self._refused.items())))
        self._refused.clear()
