"""When a crashed process is started again. Pure."""

from dataclasses import dataclass
from typing import Final

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 15.0
_MOST_DOUBLINGS: Final = 10
_STEADY_AFTER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a process has ended in a row without having run steadily in between."""

    in_a_row: int = 0

    def after_end(self, ran_seconds: float) -> "Restarts":
        """The count once it has ended again; a steady run starts the count anew."""
        return Restarts(1 if ran_seconds >= _STEADY_AFTER_SECONDS else self.in_a_row + 1)

    @property
    def delay_seconds(self) -> float:
        """The wait before the next start: doubled each time, up to a quarter of a minute."""
        doublings = min(max(self.in_a_row - 1, 0), _MOST_DOUBLINGS)
        return min(_FIRST_DELAY_SECONDS * float(1 << doublings), _LONGEST_DELAY_SECONDS)
