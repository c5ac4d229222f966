"""The versions of the minute segments: raised whenever a completed minute has other rows than before."""

from collections.abc import Mapping
from typing import Final

from services.aggregate.engine.recent_rows import RecentRows
from shared.events.time_units import MINUTE_SECONDS

SETTLE_SECONDS: Final = 2
"""How long after the end of a minute its segment is made: the last events are still on their way."""
OWNERS: Final = 1_000_000


class SegmentVersions:
    """The version of each completed minute's segment.

    A version is the publish instant at which the minute was first seen as it is now, combined with the owner that saw
    it: while two processes both believe that they own the partition, one of them cut off from the log, a minute ends
    for both at once.
    """

    def __init__(self, versions: Mapping[int, int] | None = None) -> None:
        self.versions: dict[int, int] = dict(versions or {})
        self.owner = 0
        """Below OWNERS. Distinguishes this process from another that believes it owns the partition."""

    def update(self, recent: RecentRows, now_s: int) -> dict[int, int]:
        """The minutes that are complete and have rows, with the version of their segment."""
        settled = (now_s - SETTLE_SECONDS) // MINUTE_SECONDS
        for minute in [minute for minute in recent.unpublished if minute < settled]:
            # The last publish of a process that stops repeats the instant of the one before it.
            raised = self.versions.get(minute, 0) + 1
            self.versions[minute] = max(now_s * OWNERS + self.owner, raised)
            recent.unpublished.discard(minute)
        oldest = recent.oldest_minute(now_s)
        self.versions = {minute: version for minute, version in sorted(self.versions.items()) if minute >= oldest}
        return self.versions
