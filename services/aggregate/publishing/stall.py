"""How long a replica has waited in vain, by the instants at which it asks. Pure."""

from typing import Final

LIVE_SECONDS: Final = 2
"""A replica whose latest share is older than this, seen from our newest instant, counts as dead."""
STALL_SECONDS: Final = 5
"""How long announced replicas may keep their reports back, or a published instant be ahead, before it is ignored."""


class Stall:
    """Something that keeps this replica from publishing."""

    def __init__(self) -> None:
        self._since_s = 0
        self._asked_s = 0

    def lasts(self, now_s: int, *, is_stalled: bool = True) -> bool:
        """Whether it has lasted for STALL_SECONDS. It does not end by itself, but by not being asked for seconds."""
        if not is_stalled:
            return False
        if self._since_s == 0 or now_s - self._asked_s > LIVE_SECONDS:
            self._since_s = now_s
        self._asked_s = now_s
        return now_s - self._since_s >= STALL_SECONDS

    def ends(self) -> None:
        """It is over."""
        self._since_s = 0
