"""The completed minutes: their events, and the segments that could not be read. Pure."""

from dataclasses import dataclass, field

from services.dashboard.sources.segments import Frame, assemble


@dataclass(frozen=True, slots=True)
class Gap:
    """A listed segment that could not be read."""

    minute: int
    partition: int
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Since when reading has failed, and why."""

    since_ms: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CompletedMinutes:
    """The known events of the minutes from `first_minute` up to, but excluding, `end_minute`.

    Both are 0 until a segment has been read. Compared by identity: the same object as long as nothing has changed.
    """

    frame: Frame = field(default_factory=lambda: assemble([]))
    first_minute: int = 0
    end_minute: int = 0
    gaps: tuple[Gap, ...] = ()
    left_out: int = 0  # segments beyond MOST_EVENTS
    trouble: Trouble | None = None
