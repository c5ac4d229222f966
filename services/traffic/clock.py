"""The wall clock, and waiting until a time."""

import time
from threading import Event
from typing import Final

from shared.runtime.dependency import Stopped

_SHORTEST_WAIT_SECONDS: Final = 0.02
"""Events due within one such wait are sent together."""
_LONGEST_WAIT_SECONDS: Final = 1.0
"""After this we read the clock again, because it may have been set."""


def now_ms() -> int:
    """Epoch ms."""
    return time.time_ns() // 1_000_000


def wait_until(due_ms: float, stop: Event) -> None:
    """Return at `due_ms` or shortly after. Raises Stopped when `stop` is set first."""
    while (ahead_seconds := (due_ms - now_ms()) / 1000) > 0:
        if stop.wait(min(max(ahead_seconds, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)):
            raise Stopped
