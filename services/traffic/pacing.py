"""Maps an event's time to the wall-clock time to send it at. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Sends `event_ms` at `clock_ms`, and later events `speed` times as fast as recorded."""

    event_ms: int
    clock_ms: int
    speed: float  # math.inf: without waiting

    def due_ms(self, timestamp_ms: int) -> float:
        """When to send an event with this timestamp, epoch ms."""
        return self.clock_ms + (timestamp_ms - self.event_ms) / self.speed


LIVE = Pace(0, 0, 1)
"""Each event at its own time; past events at once."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a recording's first event, which pacing starts from, and its latest time."""

    first_ms: int
    last_ms: int


def shift_to_now_ms(span: Span, now_ms: int, speed: float) -> int:
    """The shift that gives the last event its own send time, when sending starts now at this speed.

    At `max` speed that is now. At speed 1 every event carries its own send time; above, the recording catches up with
    the clock. No event is ahead of the clock, so below speed 1 it is the first event that carries its send time.
    """
    duration_ms = (span.last_ms - span.first_ms) / max(speed, 1)
    return now_ms + math.floor(duration_ms) - span.last_ms
