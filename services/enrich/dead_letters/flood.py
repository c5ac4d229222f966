"""The dead letter flood alarm: a large share of dead letters in a minute means a broken producer."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from shared.events.refusals import Reason
from shared.runtime.logs import get_logger
from shared.status.health import Health

WINDOW_SECONDS: Final = 60
LEAST_REFUSED: Final = 10
"""Fewer dead letters in a minute raise no alarm, whatever their share."""

_PART: Final = "input"  # of the service's health

logger = get_logger(__name__)


class FloodAlarm:
    """Degrades health while over `share` (0 to 1) of the events of the last minute are dead letters.

    `clock` counts seconds.
    """

    def __init__(self, share: float, health: Health, clock: Callable[[], float]) -> None:
        self._share = share
        self._health = health
        self._clock = clock
        self._seconds: deque[tuple[int, int, Counter[str]]] = deque()  # second, events read, dead letters by reason
        self._read = 0
        self._refused: Counter[str] = Counter()
        self._is_flood = False

    def add(self, read: int, reasons: Iterable[Reason]) -> None:
        """Count the events of a batch, and the reasons of those refused."""
        second = int(self._clock())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, 0, Counter()))
        _, read_before, refused = self._seconds.pop()
        new = Counter(reason.value for reason in reasons)
        refused.update(new)
        self._seconds.append((second, read_before + read, refused))
        self._read += read
        self._refused.update(new)

    def report(self) -> None:
        """Update health, and log when a flood starts or ends."""
        oldest = int(self._clock()) - WINDOW_SECONDS
        while self._seconds and self._seconds[0][0] <= oldest:
            _, read, refused = self._seconds.popleft()
            self._read -= read
            self._refused.subtract(refused)
        total = self._refused.total()
        was_flood, self._is_flood = self._is_flood, total >= LEAST_REFUSED and total > self._share * self._read
        if self._is_flood:
            by_reason = {reason: count for reason, count in self._refused.most_common() if count}
            reasons = ", ".join(f"{count} {reason}" for reason, count in by_reason.items())
            self._health.degraded(
                _PART, f"{total} of the last minute's {self._read} events are dead letters: {reasons}"
            )
            if not was_flood:
                logger.error("flood of dead letters", events=self._read, dead_letters=total, **by_reason)
        elif was_flood:
            self._health.working(_PART)
            logger.info("flood of dead letters is over", events=self._read, dead_letters=total)
