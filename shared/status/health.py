"""The health of a service's parts; `health_endpoint` shows it."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from shared.status.replica_status import Trouble, health_status

_LONGEST_REASON: Final = 1000
"""Characters. A reason may quote what a dependency answered."""


class Health:
    """The health of a service's parts. A part is healthy unless it was marked as failing or degraded.

    A degraded part still works, but somebody should look at it; a restart does not help. Thread-safe.
    """

    def __init__(self, service: str, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.service = service
        self._now_ms = now_ms
        self._troubles: dict[str, Trouble] = {}
        self._lock = Lock()

    def failing(self, part: str, reason: str) -> None:
        """Mark a part (`redis`, `log`, `state`, …) as failing."""
        self._note(part, reason, fails=True)

    def degraded(self, part: str, reason: str) -> None:
        """Mark a part as working, but not as well as it should."""
        self._note(part, reason, fails=False)

    def working(self, part: str) -> None:
        """Mark a part as working."""
        with self._lock:
            self._troubles.pop(part, None)

    def is_working(self, part: str) -> bool:
        """Whether a part does not fail. A degraded part works."""
        with self._lock:
            return part not in self._troubles or not self._troubles[part].fails

    def troubles(self) -> dict[str, Trouble]:
        """The parts that fail or are degraded, and since when."""
        with self._lock:
            return dict(self._troubles)

    def report(self) -> dict[str, object]:
        """`{"service", "status": "healthy" | "degraded" | "unhealthy", "failures": {part: reason}}`."""
        troubles = self.troubles()
        return {
            "service": self.service,
            "status": health_status(troubles),
            "failures": {part: trouble.reason for part, trouble in troubles.items()},
        }

    def _note(self, part: str, reason: str, *, fails: bool) -> None:
        with self._lock:
            known = self._troubles.get(part)
            since_ms = known.since_ms if known is not None and known.fails == fails else self._now_ms()
            self._troubles[part] = Trouble(reason[:_LONGEST_REASON], since_ms, fails)
