"""The live page's door to Redis: one snapshot a second for all viewers of the process, failures as values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import redis

from services.dashboard.sources.single_flight import Malformed as Malformed
from services.dashboard.sources.single_flight import SharedAnswer
from services.dashboard.sources.single_flight import Unreachable as Unreachable
from shared.rollups import contract as rollup_keys
from shared.rollups.contract import AUDIENCES, Audience, MalformedRollup, Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Redis answered with a snapshot."""

    snapshot: Snapshot
    partitions_before: int = 0  # in the last snapshot that had them all; 0: none did since this process began


@dataclass(frozen=True, slots=True, eq=False)
class Empty:
    """Redis answered, and nothing was ever published under this prefix."""


# Compared by identity: pages drawn from one observation are drawn once for all viewers.
Observation = Live | Empty | Unreachable[Snapshot] | Malformed[Snapshot]


class Reader:
    """Observations by audience. Safe to use from any thread.

    `now_ms` tells the time of day, `elapsed_seconds` never goes back.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        now_ms: Callable[[], int],
        elapsed_seconds: Callable[[], float],
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._now_ms = now_ms
        self._shared: dict[Audience, SharedAnswer[Observation]] = {
            audience: SharedAnswer(partial(self._ask, audience), elapsed_seconds) for audience in AUDIENCES
        }
        self._whole_partitions = 0

    def observe(self, audience: Audience) -> Observation:
        """What Redis holds for `audience`, at most a second old. Blocks for one round trip at most."""
        return self._shared[audience].get()

    def _ask(self, audience: Audience, before: Observation | None) -> Observation:
        try:
            snapshot = rollup_keys.read(self._client, audience, self._prefix)
        except MalformedRollup as error:
            since_ms = before.since_ms if isinstance(before, Malformed) else self._now_ms()
            return Malformed(since_ms, str(error), _last_snapshot(before))
        except (redis.RedisError, OSError) as error:
            since_ms = before.since_ms if isinstance(before, Unreachable) else self._now_ms()
            return Unreachable(since_ms, str(error), _last_snapshot(before))
        if snapshot is None:
            return Empty()
        if snapshot.meta.coverage_8h_s > 0:  # the publisher covers nothing while one is missing
            self._whole_partitions = snapshot.meta.partitions
        return Live(snapshot, self._whole_partitions)


def _last_snapshot(before: Observation | None) -> Snapshot | None:
    match before:
        case Live(snapshot=snapshot):
            return snapshot
        case Unreachable(last=last) | Malformed(last=last):
            return last
        case _:
            return None
