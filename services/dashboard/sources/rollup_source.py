"""Reads the rollups: one snapshot a second for all viewers of the process, failures as values."""

import secrets
from collections.abc import Callable
from functools import partial

import redis

from services.dashboard.sources.late_events import LateEvents
from services.dashboard.sources.observations import Empty, FailingPart, Live, Malformed, Observation, Unreachable
from services.dashboard.sources.single_flight import SingleFlight
from services.dashboard.sources.visitor_names import VisitorNames
from shared.rollups.contract import STATE_LOG_KEY, Snapshot
from shared.rollups.model import AUDIENCES, Audience, MalformedRollup
from shared.rollups.reading import read
from shared.runtime.redis_errors import REFUSALS
from shared.runtime.redis_replies import ReplyTooLarge
from shared.runtime.tracebacks import error_text
from shared.status.unreadable import UNREADABLE


class RollupSource:
    """Observations by audience. Thread-safe. `now_ms` is the wall clock, `elapsed_seconds` is monotonic."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        now_ms: Callable[[], int],
        elapsed_seconds: Callable[[], float],
        names: VisitorNames | None = None,
        failing: Callable[[], tuple[FailingPart, ...]] = tuple,
    ) -> None:
        """Visitors have `names`, by default those of this process. `failing`: what keeps clicks from the numbers."""
        self._failing = failing
        self._names = names or VisitorNames(secrets.token_bytes(32))
        self._client = client
        self._prefix = prefix
        self._now_ms = now_ms
        self._flights: dict[Audience, SingleFlight[Observation]] = {
            audience: SingleFlight(partial(self._ask, audience), elapsed_seconds) for audience in AUDIENCES
        }
        self._whole_partitions = 0
        self._late = LateEvents()  # swapped whole, because the audiences are asked by several threads

    def observe(self, audience: Audience) -> Observation:
        """What Redis holds for `audience`, at most a second old. Blocks for at most one round trip."""
        return self._flights[audience].get()

    def _ask(self, audience: Audience, before: Observation | None) -> Observation:
        try:
            snapshot = self._read(audience)
        except (MalformedRollup, ReplyTooLarge) as error:
            UNREADABLE.drop("rollup", str(error), "showing the previous numbers")
            since_ms = before.since_ms if isinstance(before, Malformed) else self._now_ms()
            return Malformed(since_ms, str(error), _last_snapshot(before))
        except (redis.RedisError, OSError) as error:
            since_ms = before.since_ms if isinstance(before, Unreachable) else self._now_ms()
            return Unreachable(since_ms, error_text(error), _last_snapshot(before), isinstance(error, REFUSALS))
        if snapshot is None:
            return Empty()
        snapshot = self._names.shown(snapshot)
        if snapshot.meta.coverage_8h_s > 0:  # coverage is 0 while a partition is missing
            self._whole_partitions = snapshot.meta.partitions
        self._late = self._late.look(snapshot.meta)
        return Live(snapshot, self._whole_partitions, self._late.lately, self._failing())

    def _read(self, audience: Audience) -> Snapshot | None:
        """The snapshot; without the state log if that is what cannot be read, as nobody writes it anew each second."""
        try:
            return read(self._client, audience, self._prefix)
        except (MalformedRollup, ReplyTooLarge) as error:
            try:
                snapshot = read(self._client, audience, self._prefix, with_state_log=False)
            except (MalformedRollup, ReplyTooLarge):
                raise error from None
            UNREADABLE.drop(STATE_LOG_KEY, str(error), "not shown")
            return snapshot


def _last_snapshot(before: Observation | None) -> Snapshot | None:
    match before:
        case Live(snapshot=snapshot):
            return snapshot
        case Unreachable(last=last) | Malformed(last=last):
            return last
        case _:
            return None
