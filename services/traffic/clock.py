"""The wall clock, and waiting for it."""

import time
from threading import Event
from typing import Final

from shared.runtime.dependency import Stopped

_SHORTEST_WAIT_SECONDS: Final = 0.02
"""Events that are due within one such wait are sent together."""
_LONGEST_WAIT_SECONDS: Final = 1.0
"""Then we look at the clock again, which may have been set."""


def now_ms() -> int:
    """Epoch ms."""
    return time.time_ns() // 1_000_000


def wait_until(due_ms: float, stop: Event) -> None:
    """Return when the clock shows `due_ms` or a moment later. Raises Stopped when `stop` is set before."""
    while (ahead_seconds := (due_ms - now_ms()) / 1000) > 0:
        if stop.wait(min(max(ahead_seconds, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)):
            raise Stopped
