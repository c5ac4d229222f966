"""When to rebuild the partitions' state because a visitor was forgotten."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.state.opening import delete_unowned
from services.aggregate.state.partition import Partition
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text
from shared.streams.event_log import Consumer, LogUnavailable

logger = get_logger(__name__)

_PAUSE_SECONDS: Final = 20
"""The least time between two rebuilds: each reads hours of events, so the erasures of a moment share one."""
_LONGEST_REBUILD_SECONDS: Final = 900
"""A rebuild that has not caught up by then is not waited for: the next erasure begins the next one."""
_CAUGHT_UP_SECONDS: Final = 5


class KnownErasures(Protocol):
    """What aggregate needs of `shared.privacy.erasure_watch.ErasureWatch`."""

    def current(self) -> Erasures: ...
    def learn(self, erasures: Erasures) -> None: ...
    def honour(self, honoured_ms: Mapping[int, int]) -> None: ...


class NoErasures:
    """Where nobody is ever forgotten."""

    def current(self) -> Erasures:
        """As `ErasureWatch.current`."""
        return NO_ERASURES

    def learn(self, erasures: Erasures) -> None:
        """As `ErasureWatch.learn`."""

    def honour(self, honoured_ms: Mapping[int, int]) -> None:
        """As `ErasureWatch.honour`."""


class Erasing:
    """Compares the erasures that partitions honour with those in force. Used by one thread."""

    def __init__(self, known: KnownErasures, directory: Path, goals: Goals = NO_GOALS, site: str = "") -> None:
        """`directory` holds the partitions' databases, which these goals and this site belong to."""
        self._goals = goals
        self._site = site
        self._known = known
        self._directory = directory
        self._seen = NO_ERASURES
        self._rebuilt_at_s = 0

    def current(self) -> Erasures:
        """The erasures in force, for state that is opened now."""
        return self._known.current()

    def opened(self, partition: Partition) -> None:
        """A partition was opened. It may honour erasures that Redis has lost."""
        self._known.learn(partition.erasures)

    def work(self, partitions: Mapping[int, Partition], now_s: int, consumer: Consumer) -> None:
        """Report what is honoured. If a visitor was forgotten since, delete state that others left, and rewind.

        Then the consumer assigns its partitions again, and opening deletes the state of one that lacks an erasure.
        Raises StateUnwritable.
        """
        erasures = self._known.current()
        honoured_ms = {number: partition.erasures.latest_ms for number, partition in partitions.items()}
        self._known.honour(honoured_ms if erasures else {})
        if erasures is self._seen or not self._may_rebuild(partitions, now_s):
            return
        delete_unowned(self._directory, partitions, erasures, self._goals, self._site)
        if not all(partition.erasures.covers(erasures) for partition in partitions.values()):
            try:
                consumer.rewind()
            except LogUnavailable as error:
                logger.debug("erasure postponed", error=error_text(error))
                return
            self._rebuilt_at_s = now_s
        self._seen = erasures

    def _may_rebuild(self, partitions: Mapping[int, Partition], now_s: int) -> bool:
        """Whether the previous rebuild has caught up, so that erasures in a row never keep the figures partial."""
        loaded_ms = (now_s - _CAUGHT_UP_SECONDS) * 1000
        is_caught_up = all(partition.loaded_until_ms >= loaded_ms for partition in partitions.values())
        return now_s - self._rebuilt_at_s >= (_PAUSE_SECONDS if is_caught_up else _LONGEST_REBUILD_SECONDS)
