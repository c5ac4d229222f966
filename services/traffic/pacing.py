"""When to send an event: its own time, mapped to the wall clock. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Maps the recording's time to the clock: `event_ms` is sent at `clock_ms`, later ones `speed` times as fast."""

    event_ms: int
    clock_ms: int
    speed: float  # math.inf: without waiting

    def due_ms(self, timestamp_ms: int) -> float:
        """When an event of this time is to be sent, epoch ms."""
        return self.clock_ms + (timestamp_ms - self.event_ms) / self.speed


LIVE = Pace(0, 0, 1)
"""Each event at its own time: past ones at once, future ones when their time comes."""


@dataclass(frozen=True, slots=True)
class Span:
    """The times of a recording: of its first event, from which sending is paced, and the latest of all."""

    first_ms: int
    last_ms: int


def shift_to_now_ms(span: Span, now_ms: int, speed: float) -> int:
    """What to add to each time so that the last event, sent at this speed from now on, carries the time it is sent at.

    At `max` speed that is now; at speed 1 every event carries the time it is sent at; in between the recording
    catches up with the clock. No event is ever ahead of it; so in slow motion, below 1, it is the first event that
    carries the time it is sent at.
    """
    lasting_ms = (span.last_ms - span.first_ms) / max(speed, 1)
    return now_ms + math.floor(lasting_ms) - span.last_ms
