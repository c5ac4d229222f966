"""One answer of Redis for all viewers of the process: asked for at most once a second, whoever looks."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, TypeVar

LIFE_SECONDS: Final = 0.9
"""A little under a second, so that a page which asks each second does not get the same answer twice."""

Answer = TypeVar("Answer")
Seen = TypeVar("Seen", covariant=True)


@dataclass(frozen=True, eq=False)  # no slots: typing notes on an instance what it is generic in
class Unreachable(Generic[Seen]):
    """Redis does not answer. `last` is what it said before."""

    since_ms: int
    reason: str
    last: Seen | None


@dataclass(frozen=True, eq=False)
class Malformed(Generic[Seen]):
    """A key holds what the contract does not allow. `last` is what Redis said before that."""

    since_ms: int
    reason: str
    last: Seen | None


class SharedAnswer(Generic[Answer]):
    """Safe to use from any thread; `elapsed_seconds` never goes back.

    One viewer at a time asks; meanwhile the others get the answer before, so that a Redis which hangs holds one page
    up, not all.
    """

    def __init__(self, ask: Callable[[Answer | None], Answer], elapsed_seconds: Callable[[], float]) -> None:
        """`ask` is given the answer before, and makes a value of every failure that is to be shown."""
        self._ask = ask
        self._elapsed_seconds = elapsed_seconds
        self._lock = Lock()
        self._answered: tuple[float, Answer] | None = None

    def get(self) -> Answer:
        """The answer, at most LIFE_SECONDS old. Blocks for one `ask` at most."""
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
