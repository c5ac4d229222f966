"""The events of days as they come batch by batch. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final, NamedTuple, Self

from services.history.columns.kept import Kept
from services.history.columns.segment import Rows, Segment, merged, segment_of
from shared.events.time_units import DAY_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class DayColumns(NamedTuple):
    """The events of a day up to a batch. Immutable: questions at work keep what they began with."""

    day: date
    kept: Kept
    batch_number: int = 0
    segments: tuple[Segment, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """What its arrays take, without what is kept."""
        return sum(own.memory_bytes for own in self.segments)

    def extended(self, parts: Sequence[Rows], batch_number: int) -> Self:
        """The same with these rows, which came since, up to a later batch."""
        segments = list(self.segments)
        new = [segment_of(_starts_ms(self.day), own, self.kept) for own in parts if len(own["ts_us"])]
        if new:
            segments.append(merged(new) if len(new) > 1 else new[0])
        # Each is at least twice the next: few segments, and each event is merged few times.
        while len(segments) > 1 and segments[-2].size < 2 * segments[-1].size:
            segments[-2:] = [merged(segments[-2:])]
        return self._replace(segments=tuple(segments), batch_number=batch_number)


class Columns(NamedTuple):
    """The events of all days from one on. Those that are not in `days` have none."""

    days: Mapping[date, DayColumns]
    complete_from: date

    @property
    def memory_bytes(self) -> int:
        """What all their arrays take."""
        return sum(own.memory_bytes for own in self.days.values())

    def segments(self, from_ms: int, until_ms: int) -> Sequence[Segment] | None:
        """Those of the days of a span of time; None if it begins before what is complete."""
        first, last = from_ms // DAY_MS + _EPOCH, (until_ms - 1) // DAY_MS + _EPOCH
        if first < self.complete_from.toordinal():
            return None
        wanted = sorted(day for day in self.days if first <= day.toordinal() <= last)
        return [segment for day in wanted for segment in self.days[day].segments]


def _starts_ms(day: date) -> int:
    return (day.toordinal() - _EPOCH) * DAY_MS
