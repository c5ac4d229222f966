"""How much of what is refused is kept: dead letters share a rate, as strangers can send any number of them."""

from typing import Final

from services.collect.dead_letters import reason_of
from shared.events.dead_letters import NewDeadLetter
from shared.runtime.logs import get_logger
from shared.runtime.token_buckets import TokenBuckets
from shared.status.gauges import Gauges
from shared.status.health import Health

logger = get_logger(__name__)

STRANGERS: Final = ""
BURST_SECONDS: Final = 60
CALM_SECONDS: Final = 60.0
_PART: Final = "dead_letters"


class Keeping:
    """A bucket of bytes for each site's own servers, and one for all others. One event loop."""

    def __init__(
        self, bytes_per_second: float, gauges: Gauges, health: Health, calm_seconds: float = CALM_SECONDS
    ) -> None:
        self._buckets = TokenBuckets(bytes_per_second, BURST_SECONDS * bytes_per_second)
        self._gauges, self._health, self._calm_seconds = gauges, health, calm_seconds
        self._refused_at: float | None = None  # when one was last beyond the rate

    def may_keep(self, letter: NewDeadLetter, sender: str, now: float) -> bool:
        """Whether a dead letter of a site's servers, or of STRANGERS, is within the rate. If not, it is counted."""
        if not self._buckets.take(sender, len(letter.value), now):
            return True
        reason = reason_of(letter).value
        counts = self._gauges.dead_letters_not_kept
        self._gauges.dead_letters_not_kept = {**counts, reason: counts.get(reason, 0) + 1}
        if self._refused_at is None:
            self._health.degraded(_PART, "more malformed requests than are kept; further ones are only counted")
            logger.warning("more malformed requests than are kept, counting further ones", reason=reason)
        self._refused_at = now
        return False

    def note_time(self, now: float) -> None:
        """Called with each request. The health is good again once all were kept for a while."""
        if self._refused_at is not None and now - self._refused_at >= self._calm_seconds:
            self._refused_at = None
            self._health.working(_PART)
            logger.info("keeping malformed requests again")
