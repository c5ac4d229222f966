"""What this process read from Redis and dropped because it does not fit the contract of its key.

Others may write to the same Redis. Each reader checks what it gets and reports here what it drops.
"""

from collections import Counter
from threading import Lock
from typing import Final

from shared.runtime.logs import get_logger
from shared.runtime.once import Once

logger = get_logger(__name__)


class Unreadable:
    """Counts what was dropped, by key, and warns of each key once. Thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._warned = Once()
        self._lock = Lock()

    def drop(self, key: str, reason: str, consequence: str = "dropped") -> None:
        """Report a value. `key` is one of our own, without the prefix and the part that varies."""
        self.count(key)
        with self._lock:
            is_new = self._warned.is_new(key)
        if is_new:
            logger.warning("unreadable value in Redis", key=key, reason=reason, consequence=consequence)

    def count(self, key: str) -> None:
        """Count a value of which the caller warns."""
        with self._lock:
            self._counts[key] += 1

    def counts(self) -> dict[str, int]:
        """How many values were dropped, by key."""
        with self._lock:
            return dict(self._counts)


UNREADABLE: Final = Unreadable()
"""Of this process: its status reports the counts."""
