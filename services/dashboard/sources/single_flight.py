"""One Redis query at a time for all viewers of the process, at most one per second."""

from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

LIFE_SECONDS: Final = 0.9
"""Just under a second, so that a page that refreshes every second does not get the same answer twice."""

Answer = TypeVar("Answer")


class SingleFlight(Generic[Answer]):
    """Thread-safe; `elapsed_seconds` is monotonic.

    One viewer at a time queries; the others get the previous answer meanwhile, so a hanging Redis delays one page only.
    """

    def __init__(self, ask: Callable[[Answer | None], Answer], elapsed_seconds: Callable[[], float]) -> None:
        """`ask` receives the previous answer and returns a value for every failure that pages show."""
        self._ask = ask
        self._elapsed_seconds = elapsed_seconds
        self._lock = Lock()
        self._answered: tuple[float, Answer] | None = None

    def get(self) -> Answer:
        """The answer, at most LIFE_SECONDS old while Redis answers. Blocks for at most one `ask`."""
        before = self._answered
        if before is not None and self._is_fresh(before):
            return before[1]
        if not self._lock.acquire(blocking=before is None):
            assert before is not None
            return before[1]
        try:
            current = self._answered
            if current is None or not self._is_fresh(current):
                answer = self._ask(current[1] if current else None)
                current = self._answered = (self._elapsed_seconds(), answer)
            return current[1]
        finally:
            self._lock.release()

    def _is_fresh(self, answered: tuple[float, Answer]) -> bool:
        return self._elapsed_seconds() - answered[0] < LIFE_SECONDS
