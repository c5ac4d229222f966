"""A cache of what was computed from the newest completed minutes, for all viewers; older results are dropped."""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from services.dashboard.sources.completed_minutes import CompletedMinutes

MOST_KEPT: Final = 64
"""Entries per state of the minutes: an exploration, a board and controls for about twenty different choices."""

Made = TypeVar("Made")


class Recall:
    """Thread-safe; at worst two viewers compute the same result."""

    def __init__(self) -> None:
        self._current: tuple[CompletedMinutes | None, dict[Hashable, Any]] = (None, {})

    def of(self, minutes: CompletedMinutes, key: Hashable, make: Callable[[], Made]) -> Made:
        """The result of `make` for `minutes` and `key`; calls it unless the result is cached."""
        made_of, made = self._current
        if made_of is not minutes:
            made = {}
            self._current = (minutes, made)
        found: Made | None = made.get(key)
        if found is None:
            if len(made) >= MOST_KEPT:
                made.clear()
            found = made[key] = make()
        return found
