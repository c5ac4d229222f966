"""Late events from look to look: how many came in the last minute. Pure."""

from dataclasses import dataclass
from typing import Final, Self

from shared.events.time_units import MINUTE_MS
from shared.rollups.model import Meta

SPAN_MS: Final = MINUTE_MS


@dataclass(frozen=True, slots=True)
class LateEvents:
    """The rollups of the last minute, oldest first: publish instant (epoch ms) and late events so far."""

    seen: tuple[tuple[int, int], ...] = ()
    partitions: int = 0

    @property
    def lately(self) -> int:
        """How many came within the looks of the last minute."""
        return self.seen[-1][1] - self.seen[0][1] if self.seen else 0

    def look(self, meta: Meta) -> Self:
        """With one more rollup. The count starts over with other partitions, whose late events are not new."""
        newest = self.seen[-1] if self.seen else (0, 0)
        if meta.partitions != self.partitions or meta.late < newest[1]:
            return type(self)(((meta.as_of_ms, meta.late),), meta.partitions)
        if meta.as_of_ms <= newest[0]:
            return self  # another audience of the same publish
        kept = tuple(look for look in self.seen if look[0] >= meta.as_of_ms - SPAN_MS)
        return type(self)((*kept, (meta.as_of_ms, meta.late)), meta.partitions)
