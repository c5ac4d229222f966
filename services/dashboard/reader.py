"""The dashboard's only door to Redis: one snapshot a second for all viewers of the process, failures as values."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

import redis

from shared import rollup_keys
from shared.rollup_keys import AUDIENCES, Audience, MalformedRollup, Snapshot

SNAPSHOT_LIFE_SECONDS: Final = 0.9
"""A little under a second, so that a page which asks each second does not get the same snapshot twice."""


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Redis answered with a snapshot."""

    snapshot: Snapshot
    partitions_before: int = 0  # in the last snapshot that had them all; 0: none did since this process began


@dataclass(frozen=True, slots=True, eq=False)
class Empty:
    """Redis answered, and nothing was ever published under this prefix."""


@dataclass(frozen=True, slots=True, eq=False)
class Unreachable:
    """Redis does not answer. `last` is what it said before, for this audience."""

    since_ms: int
    reason: str
    last: Snapshot | None


@dataclass(frozen=True, slots=True, eq=False)
class Malformed:
    """A key holds what the contract does not allow. `last` is the snapshot before that."""

    since_ms: int
    reason: str
    last: Snapshot | None


# Compared by identity: pages drawn from one observation are drawn once for all viewers.
Observation = Live | Empty | Unreachable | Malformed


class Reader:
    """Observations by audience, each shared for SNAPSHOT_LIFE_SECONDS. Safe to use from any thread.

    `now_ms` tells the time of day, `elapsed_seconds` never goes back. One viewer at a time asks Redis; meanwhile the
    others get the observation before, so that a Redis which hangs holds one page up, not all.
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
        self._elapsed_seconds = elapsed_seconds
        self._locks: dict[Audience, Lock] = {audience: Lock() for audience in AUDIENCES}
        self._observed: dict[Audience, tuple[float, Observation]] = {}
        self._whole_partitions = 0

    def observe(self, audience: Audience) -> Observation:
        """What Redis holds for `audience`, at most SNAPSHOT_LIFE_SECONDS old. Blocks for one round trip at most."""
        before = self._observed.get(audience)
        if before is not None and self._is_fresh(before):
            return before[1]
        lock = self._locks[audience]
        if not lock.acquire(blocking=before is None):
            assert before is not None
            return before[1]
        try:
            current = self._observed.get(audience)
            if current is None or not self._is_fresh(current):
                observation = self._ask(audience, current[1] if current else None)
                current = (self._elapsed_seconds(), observation)
                self._observed[audience] = current
            return current[1]
        finally:
            lock.release()

    def _is_fresh(self, observed: tuple[float, Observation]) -> bool:
        return self._elapsed_seconds() - observed[0] < SNAPSHOT_LIFE_SECONDS

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
