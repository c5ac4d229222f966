"""What the service says of its work: at most one line in an interval, however many events there are."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.enrich.dead_letters.flood import BadInput
from shared.events.refusals import Reason
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges

logger = get_logger(__name__)

WARNING_INTERVAL_SECONDS: Final = 5.0
PROGRESS_INTERVAL_SECONDS: Final = 60.0


class Tally:
    """Counts enriched events, those without lookups among them, and dead letters.

    The first dead letter, and the first event without lookups, are reported at once, the rest by intervals.
    """

    def __init__(
        self, clock: Callable[[], float], bad_input: BadInput | None = None, gauges: Gauges | None = None
    ) -> None:
        self._clock = clock
        self._bad_input = bad_input
        self._gauges = gauges
        self._enriched = 0
        self._refused: Counter[str] = Counter()
        self._refused_so_far = 0
        self._unknown = 0
        self._unknown_so_far = 0
        self._next_dead_letters = clock()
        self._next_unknown = clock()
        self._next_progress = clock() + PROGRESS_INTERVAL_SECONDS

    def add(self, enriched: int, reasons: Sequence[Reason]) -> None:
        """Count a batch that is done."""
        if self._bad_input is not None:
            self._bad_input.add(enriched + len(reasons), reasons)
        if self._gauges is not None:
            self._gauges.add_dead_letters(reasons)
        self._enriched += enriched
        self._refused.update(reason.value for reason in reasons)

    def add_unknown(self, events: int) -> None:
        """Count events that go on without their product or visitor, as Redis could not be asked."""
        self._unknown += events

    def report(self, lag: Callable[[], Mapping[int, int]]) -> None:
        """Log what is due. `lag` is asked only then."""
        if self._bad_input is not None:
            self._bad_input.report()
        now = self._clock()
        if self._refused and now >= self._next_dead_letters:
            self._next_dead_letters = now + WARNING_INTERVAL_SECONDS
            self._say_dead_letters()
        if self._unknown and now >= self._next_unknown:
            self._next_unknown = now + WARNING_INTERVAL_SECONDS
            self._say_unknown()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_INTERVAL_SECONDS
            if self._enriched:
                logger.info("enriched", events=self._enriched, lag=sum(lag().values()))
                self._enriched = 0

    def close(self) -> None:
        """Log what was not said yet."""
        if self._refused:
            self._say_dead_letters()
        if self._unknown:
            self._say_unknown()
        if self._enriched:
            logger.info("enriched", events=self._enriched)

    def _say_unknown(self) -> None:
        self._unknown_so_far += self._unknown
        logger.warning("enriched without lookups", so_far=self._unknown_so_far, events=self._unknown)
        self._unknown = 0

    def _say_dead_letters(self) -> None:
        self._refused_so_far += self._refused.total()
        logger.warning("dead letters", so_far=self._refused_so_far, **dict(sorted(self._refused.items())))
        self._refused.clear()
