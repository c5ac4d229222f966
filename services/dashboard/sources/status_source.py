"""Reads the status reports: once a second for all viewers of the process, failures as values."""

import time
import weakref
from collections.abc import Callable
from threading import Thread
from typing import Final, TypeVar

import redis

from services.dashboard.sources.observations import Reported, StatusObservation, Unreachable
from services.dashboard.sources.single_flight import SingleFlight
from services.dashboard.sources.watch import Watch
from shared.rollups.model import MalformedRollup
from shared.rollups.reading import read_meta, read_proof
from shared.runtime.redis_errors import REFUSALS
from shared.runtime.redis_replies import ReplyTooLarge
from shared.runtime.tracebacks import error_text
from shared.status import keys as status_keys
from shared.status.keys import without_departed

_Read = TypeVar("_Read")

_WATCH_SECONDS: Final = 2.5
"""Interval of reads while no page is open: two per slot of a curve."""


class StatusSource:
    """Thread-safe. `now_ms` is the wall clock, `elapsed_seconds` is monotonic."""

    def __init__(
        self, client: redis.Redis, prefix: str, *, now_ms: Callable[[], int], elapsed_seconds: Callable[[], float]
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._now_ms = now_ms
        self._watch = Watch()
        self._flight = SingleFlight[StatusObservation](self._ask, elapsed_seconds)

    def observe(self) -> StatusObservation:
        """What the replicas report, at most a second old. Blocks for at most three round trips."""
        return self._flight.get()

    def keep_watching(self) -> None:
        """Read while no page is open, so that the first viewer sees the last minutes. Ends with this source."""
        Thread(target=_keep_watching, args=(weakref.ref(self),), name="status watch", daemon=True).start()

    def _ask(self, before: StatusObservation | None) -> StatusObservation:
        now_ms = self._now_ms()
        try:
            reports = status_keys.read(self._client, self._prefix)
            meta, proof = self._unless_malformed(read_meta), self._unless_malformed(read_proof)
        except (redis.RedisError, OSError) as error:
            self._watch.interrupted()
            since_ms = before.since_ms if isinstance(before, Unreachable) else now_ms
            return Unreachable(since_ms, error_text(error), _last(before), isinstance(error, REFUSALS))
        replicas = without_departed(reports.replicas, now_ms)
        watched = self._watch.look(replicas, now_ms)
        return Reported(watched, reports.unreadable, reports.transitions, now_ms, meta, proof)

    def _unless_malformed(self, read: Callable[[redis.Redis, str], _Read | None]) -> _Read | None:
        """What is read of the rollup; Live says why it cannot be read."""
        try:
            return read(self._client, self._prefix)
        except (MalformedRollup, ReplyTooLarge):
            return None


def _last(before: StatusObservation | None) -> Reported | None:
    return before if before is None or isinstance(before, Reported) else before.last


def _keep_watching(reference: "weakref.ref[StatusSource]") -> None:
    # Streamlit reports neither a dropped resource nor its stop, so the thread holds only a weak reference.
    while (source := reference()) is not None:
        source.observe()
        del source
        time.sleep(_WATCH_SECONDS)
