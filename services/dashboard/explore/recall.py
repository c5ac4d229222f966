"""What was made from the newest closed minutes, kept for all viewers; nothing of older minutes is held in memory."""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from services.dashboard.sources.closed_minutes import ClosedMinutes

MOST_KEPT: Final = 64
"""Things made of one state of the minutes: for some twenty different choices what was counted, a board and controls."""

Made = TypeVar("Made")


class Recall:
    """Safe to use from any thread: at worst two viewers make the same thing."""

    def __init__(self) -> None:
        self._current: tuple[ClosedMinutes | None, dict[Hashable, Any]] = (None, {})

    def of(self, minutes: ClosedMinutes, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` made of `minutes` under `key`; made now, unless it was before."""
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
