"""How fast a partition is read."""

from collections import deque
from typing import Final

_MEAN_SECONDS: Final = 10


class ReadRate:
    """Events read from a partition per second, as a mean of the last ten seconds."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MEAN_SECONDS + 1)

    def mark(self, now_s: int, read: int) -> float:
        """Record the total of events read by `now_s`, and return the rate. Called once a second."""
        self._marks.append((now_s, read))
        first_s, first_read = self._marks[0]
        return (read - first_read) / max(1, now_s - first_s)
