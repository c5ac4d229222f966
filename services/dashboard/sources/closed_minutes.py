"""What is known of the minutes that are over: their events, and what could not be read of them. Pure."""

from dataclasses import dataclass, field

from services.dashboard.sources.segments import Frame, assemble


@dataclass(frozen=True, slots=True)
class Gap:
    """A segment that is listed and could not be read."""

    minute: int
    partition: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Since when nothing new could be read, and why."""

    since_ms: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ClosedMinutes:
    """The events of the minutes from `first_minute`, as far as they reach, up to `end_minute`, which is not among them.

    Both are 0 while no segment was ever read. It is compared by identity: the same one as long as nothing changed.
    """

    frame: Frame = field(default_factory=lambda: assemble([]))
    first_minute: int = 0
    end_minute: int = 0
    gaps: tuple[Gap, ...] = ()
    left_out: int = 0  # segments beyond MOST_EVENTS
    trouble: Trouble | None = None
