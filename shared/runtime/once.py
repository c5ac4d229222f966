"""Log something once, not each time it is seen. Pure."""

from collections.abc import Hashable
from typing import Final

_MOST: Final = 1000


class Once:
    """Remembers what it has seen: `if once.is_new(name): logger.warning(…)`.

    At most a thousand things: after them nothing is new, so that no stranger can fill the memory or the log.
    """

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def is_new(self, thing: Hashable = None) -> bool:
        """True the first time, and the first time after `forget`."""
        if thing in self._seen or len(self._seen) >= _MOST:
            return False
        self._seen.add(thing)
        return True

    def forget(self) -> None:
        """Make everything new again."""
        self._seen.clear()
