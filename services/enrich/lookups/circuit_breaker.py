"""Lookups that continue while Redis is unavailable (LOOKUP_ON_FAILURE=unknown), and count what stays unknown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.enrich.lookups.catalogue import ProductFacts, VisitorFacts
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.tally import Tally
from shared.events.schema import RawEvent
from shared.runtime.dependency import Dependency
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.status.health import Health

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0


class LookupCircuitBreaker:
    """Stops asking Redis after a failure and retries after growing pauses. Health is degraded meanwhile.

    A Redis that hangs costs one timeout per pause.
    """

    def __init__(
        self, lookups: Lookups, address: str, *, tally: Tally, health: Health, clock: Callable[[], float]
    ) -> None:
        self._lookups = lookups
        self._redis = Dependency(f"Redis at {address}", health, "lookups", is_optional=True)
        self._tally = tally
        self._clock = clock
        self._pause_seconds = 0.0
        self._next_try = clock()

    @property
    def missed(self) -> int:
        """As `Lookups.missed`."""
        return self._lookups.missed

    @property
    def products(self) -> Mapping[str, ProductFacts]:
        """As `Lookups.products`, without those that Redis was not asked for."""
        return self._lookups.products

    @property
    def visitors(self) -> Mapping[str, VisitorFacts]:
        """As `Lookups.visitors`, without those that Redis was not asked for."""
        return self._lookups.visitors

    def learn(self, events: Sequence[RawEvent]) -> None:
        """As `Lookups.learn`, but does not raise when Redis is unavailable."""
        if self._clock() >= self._next_try:
            try:
                is_answered = self._lookups.learn(events)
            except REDIS_UNAVAILABLE as error:
                self._fail(error)
            else:
                if is_answered and self._pause_seconds:
                    self._redis.answered()
                    self._pause_seconds = 0.0
                return
        self._tally.add_unknown(self._lookups.unasked(events))

    def exclude(self, is_forgotten: Callable[[str], bool]) -> None:
        """As `Lookups.exclude`."""
        self._lookups.exclude(is_forgotten)

    def unasked(self, events: Sequence[RawEvent]) -> int:
        """As `Lookups.unasked`."""
        return self._lookups.unasked(events)

    def _fail(self, error: Exception) -> None:
        self._redis.failed(error, "continuing without lookups, new products and visitors are unknown")
        self._pause_seconds = min(max(2 * self._pause_seconds, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._next_try = self._clock() + self._pause_seconds
