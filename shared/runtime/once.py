"""Log something once, not each time it is seen. Pure."""

from collections.abc import Hashable


class Once:
    """Remembers what it has seen: `if once.is_new(name): logger.warning(…)`."""

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def is_new(self, thing: Hashable = None) -> bool:
        """True the first time, and the first time after `forget`."""
        is_new = thing not in self._seen
        self._seen.add(thing)
        return is_new

    def forget(self) -> None:
        """Make everything new again."""
        self._seen.clear()
