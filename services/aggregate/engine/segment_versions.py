"""The versions of the minute segments: raised when the rows of a completed minute have changed."""

from collections.abc import Mapping
from typing import Final

from services.aggregate.engine.recent_rows import RecentRows
from shared.events.time_units import MINUTE_SECONDS

SETTLE_SECONDS: Final = 2
"""How long after its end a minute counts as completed, so that its last events can arrive."""
REWRITE_SECONDS: Final = 30
"""Late events reopen a minute. Its segment, which holds the whole minute, is rewritten at most this often."""
OWNERS: Final = 1_000_000


class SegmentVersions:
    """The version of each completed minute's segment.

    A version combines the publish instant at which the minute's current rows were first seen with the owner that saw
    them. Two processes may both believe that they own the partition, one of them cut off from the log, and see a minute
    end at the same instant.
    """

    def __init__(self, versions: Mapping[int, int] | None = None) -> None:
        self.versions: dict[int, int] = dict(versions or {})
        self.owner = 0
        """Below OWNERS. Distinguishes this process from another that believes it owns the partition."""

    def update(self, recent: RecentRows, now_s: int, *, is_last: bool = False) -> dict[int, int]:
        """The minutes that are complete and have rows, with the version of their segment.

        `is_last`: raise all that changed, because this process stops.
        """
        settled = (now_s - SETTLE_SECONDS) // MINUTE_SECONDS
        changed = [minute for minute in recent.unpublished if minute < settled]
        first = [minute for minute in changed if minute not in self.versions]
        for minute in changed if is_last else first + self._due(changed, now_s):
            # The last publish of a process that stops repeats the instant of the one before it.
            raised = self.versions.get(minute, 0) + 1
            self.versions[minute] = max(now_s * OWNERS + self.owner, raised)
            recent.unpublished.discard(minute)
        oldest = recent.oldest_minute(now_s)
        self.versions = {minute: version for minute, version in sorted(self.versions.items()) if minute >= oldest}
        return self.versions

    def _due(self, reopened: list[int], now_s: int) -> list[int]:
        """The reopened minutes to rewrite now: those whose segments are oldest.

        So few that a publish takes as long when late events reopen all minutes, each of which has its turn every
        REWRITE_SECONDS.
        """
        versions = self.versions
        due = [
            minute
            for minute in reopened
            if minute in versions and not now_s - REWRITE_SECONDS < versions[minute] // OWNERS <= now_s
        ]
        most = -(-len(versions) // REWRITE_SECONDS)
        return sorted(due, key=lambda minute: versions[minute])[:most]
