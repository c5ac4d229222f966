"""Backoff for restarting a crashed process. Pure."""

from dataclasses import dataclass
from typing import Final

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 15.0
_MOST_DOUBLINGS: Final = 10
_STEADY_AFTER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """How many times in a row a process has ended without a steady run in between."""

    in_a_row: int = 0

    def after_end(self, ran_seconds: float) -> "Restarts":
        """The count after another end; a steady run resets it."""
        return Restarts(1 if ran_seconds >= _STEADY_AFTER_SECONDS else self.in_a_row + 1)

    @property
    def delay_seconds(self) -> float:
        """The wait before the next start; doubles each time, up to 15 s."""
        doublings = min(max(self.in_a_row - 1, 0), _MOST_DOUBLINGS)
        return min(_FIRST_DELAY_SECONDS * float(1 << doublings), _LONGEST_DELAY_SECONDS)
