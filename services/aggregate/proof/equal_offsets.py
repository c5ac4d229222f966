"""Waits until SQL holds the events that rollups in Redis include, and no others. The edge to Redis and to history."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Final

import redis

from services.aggregate.proof.awaiting import Comparable, NotComparable, read_rollups
from services.aggregate.settings import AggregateSettings
from shared.events.stored import StoredHistory, StoredSnapshot
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.rollups.contract import META_KEY
from shared.runtime.dependency import Stopped

_LOOK_SECONDS: Final = 0.1
"""History stores a batch in half a second."""
_MOST_REMEMBERED: Final = 10
"""Rollups of so many seconds: history may store what they include a moment later."""
_PARTITIONS_NAMED: Final = 3


class Rollups:
    """The latest rollups in Redis, of several instants."""

    def __init__(self, client: redis.Redis, settings: AggregateSettings) -> None:
        self._client = client
        self._settings = settings
        self._as_of: object = b""
        self.refused: NotComparable | None = None
        self.newest_first: deque[Comparable] = deque(maxlen=_MOST_REMEMBERED)

    def look(self) -> None:
        """Read those of another instant than before. Raises redis-py's exceptions."""
        as_of: Any = self._client.hget(self._settings.redis_prefix + META_KEY, "as_of_ms")
        if as_of != self._as_of:
            self._as_of = as_of
            try:
                self.newest_first.appendleft(read_rollups(self._client, self._settings))
            except NotComparable as error:
                self.refused = error

    def equal_to(self, snapshot: StoredSnapshot) -> Comparable | None:
        """Those that include what SQL holds; the newest if there are several."""
        return next((own for own in self.newest_first if not _differing(own, snapshot)), None)


@contextmanager
def equal_offsets(
    client: redis.Redis, settings: AggregateSettings, history: StoredHistory, wait_seconds: float, stop: Event
) -> Iterator[tuple[Comparable, StoredSnapshot]]:
    """Rollups, and what SQL holds at their offsets for as long as the block runs.

    Raises NotComparable, HistoryUnavailable, Stopped and redis-py's exceptions.
    """
    rollups = Rollups(client, settings)
    give_up_at = time.monotonic() + wait_seconds
    while True:
        is_last = time.monotonic() >= give_up_at
        rollups.look()
        with history.snapshot(settings.enriched_topic) as snapshot:
            own = rollups.equal_to(snapshot)
            if own is not None:
                yield own, snapshot
                return
            if is_last:
                raise _not_equal(rollups, snapshot, wait_seconds)
        if stop.wait(_LOOK_SECONDS):
            raise Stopped


def _differing(rollups: Comparable, snapshot: StoredSnapshot) -> list[int]:
    """The partitions of which SQL has more or fewer events than the rollups."""
    stored = snapshot.offsets
    # Aggregate has read nothing of the others since the windows began.
    seldom_ms = rollups.oldest_ms - FUTURE_TOLERANCE_MS
    found = {number for number, offset in rollups.offsets.items() if _next_of(snapshot, number) != offset}
    found |= {n for n, own in stored.items() if n not in rollups.offsets and (own.read_to_ms or 0) >= seldom_ms}
    return sorted(found)


def _next_of(snapshot: StoredSnapshot, partition: int) -> int | None:
    stored = snapshot.offsets.get(partition)
    return None if stored is None else stored.next_offset


def _not_equal(rollups: Rollups, snapshot: StoredSnapshot, wait_seconds: float) -> NotComparable:
    if not rollups.newest_first:
        assert rollups.refused is not None, "either was read"
        return rollups.refused
    newest = rollups.newest_first[0]
    differing = _differing(newest, snapshot)
    places = [
        f"partition {number} up to {_next_of(snapshot, number)} and {newest.offsets.get(number)}"
        for number in differing[:_PARTITIONS_NAMED]
    ]
    more = len(differing) - len(places)
    return NotComparable(
        f"there was no moment within {wait_seconds:g} s at which SQL and Redis had the same events: SQL and Redis have "
        f"{', '.join(places)}{f', and {more} more partitions' if more else ''}. If clicks arrive all the time, give it "
        "longer with --wait, or prove from the log; else history or aggregate is behind"
    )
