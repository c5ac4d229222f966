"""Pages drawn once for all viewers: those who look at the same audience, mode and zone in the same second share one."""

from threading import Lock

from services.dashboard.kit import theme
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.time_zones import Clock, clock_of
from services.dashboard.live import board, layout
from services.dashboard.sources.observations import Observation
from shared.rollups.model import AUDIENCES, Audience


class Pages:
    """The latest encoded pages by audience. Safe to use from any thread; one draws, the others take what it drew."""

    def __init__(self, address: str, slots: CategoryColours) -> None:
        """`address` is the Redis that the pages tell of; `slots` are those of all pages of the process."""
        self._address = address
        self._slots = slots
        self._locks = {audience: Lock() for audience in AUDIENCES}
        self._drawn: dict[Audience, tuple[Observation | None, int, dict[tuple[theme.Mode, Clock], bytes]]] = {
            audience: (None, 0, {}) for audience in AUDIENCES
        }

    def page(
        self, observation: Observation, audience: Audience, mode: theme.Mode, zone: str | None, now_ms: int
    ) -> bytes:
        """The page of an observation, as `layout.encoded` makes it; ages on it are those of the second of `now_ms`."""
        clock = clock_of(zone)
        with self._locks[audience]:
            seen, second, pages = self._drawn[audience]
            now_s = max(now_ms // 1000, second)  # a thread that was held up takes what the others have
            # Only the newest are kept: whatever the number of viewers, modes and zones, memory stays where it is.
            # The reader gives out one a second; an older one goes on being drawn, as its ages grow.
            if seen is not observation or now_s - second > 1:
                pages = {}
                self._drawn[audience] = (observation, now_s, pages)
            if (mode, clock) not in pages:
                palette = theme.palette_of(mode)
                drawn = board.draw(observation, audience, palette, self._address, now_s * 1000, self._slots, clock)
                pages[mode, clock] = layout.encoded(drawn)
            return pages[mode, clock]
