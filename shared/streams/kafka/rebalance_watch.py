"""Watches for a rebalance that a restart cut short, and starts it again.

A cooperative rebalance takes two rounds: members give up the partitions that move, then join again and others get them.
A named member that dies between the two and returns within its session gets back what the first round left it. For the
broker nothing has changed, so it asks nobody to join again, and the partitions that were to move have no reader until a
member joins or leaves. So a named member that has joined checks that each partition has a reader. If one has none, an
observer joins and leaves. The observer reads another topic, so that no partition moves to it.
"""

import time
from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - an exception
from struct import unpack_from
from threading import Event, Thread
from typing import Final

from confluent_kafka import KafkaException
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_CHECK_SECONDS: Final = 4.0
"""Between two checks. A second round that comes begins within the heartbeat of two seconds."""

_JOIN_SECONDS: Final = 10.0
"""An observer's limit: the others join again at their next heartbeat, or when their listeners return."""

_SLICE_SECONDS: Final = 0.1
_CLOSE_SECONDS: Final = 1.0


def assigned_partitions(assignment: bytes, topic: str) -> set[int]:
    """The partitions of a topic in a member's assignment, as the broker stores it for the group.

    The format is Kafka's ConsumerProtocolAssignment, any version: a version (2 bytes), a count of topics (4), and for
    each its name after its length (2), a count of partitions (4) and their numbers (4 each), all big-endian. A member
    that has just joined has an empty one.
    """
    found: set[int] = set()
    if not assignment:
        return found
    (topics,) = unpack_from(">i", assignment, 2)
    place = 6
    for _ in range(topics):
        (length,) = unpack_from(">h", assignment, place)
        name = assignment[place + 2 : place + 2 + length]
        place += 2 + length
        (count,) = unpack_from(">i", assignment, place)
        if name == topic.encode():
            found.update(unpack_from(f">{count}i", assignment, place + 4))
        place += 4 + 4 * count
    return found


class RebalanceWatch:
    """Checks a group in its own thread, from `start` until each partition has a reader."""

    def __init__(
        self, find_unread: Callable[[], set[int] | None], make_observer: Callable[[], Consumer], other_topic: str
    ) -> None:
        """`find_unread` returns the partitions without a reader; None, or KafkaException, while they are unknown.

        `other_topic` exists, and no member of the group reads it.
        """
        self._find_unread = find_unread
        self._make_observer = make_observer
        self._other_topic = other_topic
        self._end = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start checking, after joining. Does nothing while it already checks."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._check, name="rebalance watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop checking. Waits briefly for an observer to leave, and not for a broker."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _check(self) -> None:
        unread: set[int] | None = None
        while not self._end.wait(_CHECK_SECONDS):
            before, unread = unread, self._unread()
            if unread is not None and not unread:
                return
            if before and unread and before & unread:  # twice: the first time a second round may be pending
                logger.warning("partitions have no reader, triggering a rebalance", partitions=sorted(unread))
                self._join_and_leave()
                unread = None

    def _unread(self) -> set[int] | None:
        try:
            return self._find_unread()
        except (KafkaException, StructError) as error:  # or a member of another kind, with an assignment of its own
            logger.debug("cannot describe the group", error=str(error))
            return None

    def _join_and_leave(self) -> None:
        joined = Event()
        observer = self._make_observer()
        try:
            observer.subscribe([self._other_topic], on_assign=lambda *_: joined.set())
            until = time.monotonic() + _JOIN_SECONDS
            while not joined.is_set() and not self._end.is_set() and time.monotonic() < until:
                observer.poll(_SLICE_SECONDS)  # which calls on_assign
        except KafkaException as error:
            logger.debug("observer failed to join the group", topic=self._other_topic, error=str(error))
        finally:
            observer.close()
