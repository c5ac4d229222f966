"""The second round of a rebalance, which a restart can swallow.

A cooperative rebalance takes two rounds: members give up what is to move, then join again and others get it. A member
with a name that dies between the two and is back within its session is given what the first round left it, and for the
broker nothing has changed: it asks nobody to join again, and what was to move has no reader until a member comes or
goes. So a named member that has joined looks whether each partition has a reader, and has a stranger come and go if one
has none. The stranger reads another topic, so that nothing moves to it: who has a partition keeps it.
"""

import time
from collections.abc import Callable
from struct import unpack_from
from threading import Event, Thread
from typing import Final

from confluent_kafka import KafkaException
from quixstreams.kafka import Consumer

from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_LOOK_SECONDS: Final = 4.0
"""Between two looks. The second round, where it comes, begins within the heartbeat of two seconds."""

_VISIT_SECONDS: Final = 10.0
"""At most: the others join again at their next heartbeat, or when their listeners are through."""

_SLICE_SECONDS: Final = 0.1
_CLOSE_SECONDS: Final = 1.0


def assigned_partitions(assignment: bytes, topic: str) -> set[int]:
    """The partitions of a topic in a member's assignment, as the broker keeps it for the group.

    That is Kafka's ConsumerProtocolAssignment, of whatever version: a version (2 bytes), a count of topics (4), and for
    each its name after its length (2), a count of partitions (4) and their numbers (4 each), all big-endian. A member
    that has just come has an empty one.
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


class SecondRound:
    """Looks after a group in a thread of its own, from `start` until each partition is somebody's."""

    def __init__(
        self, find_unread: Callable[[], set[int] | None], make_stranger: Callable[[], Consumer], other_topic: str
    ) -> None:
        """`find_unread` tells partitions without a reader; None, or an exception of Kafka's, while it cannot tell.

        `other_topic` exists, and no member of the group reads it.
        """
        self._find_unread = find_unread
        self._make_stranger = make_stranger
        self._other_topic = other_topic
        self._end = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to look, as a member that joins should. Does nothing while it looks already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._look, name="second round", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Look no more. Waits little for a visit to end, and not for a broker."""
        self._end.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _look(self) -> None:
        unread: set[int] | None = None
        while not self._end.wait(_LOOK_SECONDS):
            before, unread = unread, self._unread()
            if unread is not None and not unread:
                return
            if before and unread and before & unread:  # twice, as at first a second round may be under way
                logger.warning("partitions have no reader, asking for a rebalance", partitions=sorted(unread))
                self._visit()
                unread = None

    def _unread(self) -> set[int] | None:
        try:
            return self._find_unread()
        except KafkaException as error:
            logger.debug("the group cannot be seen", error=str(error))
            return None

    def _visit(self) -> None:
        came = Event()
        stranger = self._make_stranger()
        try:
            stranger.subscribe([self._other_topic], on_assign=lambda *_: came.set())
            until = time.monotonic() + _VISIT_SECONDS
            while not came.is_set() and not self._end.is_set() and time.monotonic() < until:
                stranger.poll(_SLICE_SECONDS)  # which calls on_assign
        except KafkaException as error:
            logger.debug("no visit to the group", topic=self._other_topic, error=str(error))
        finally:
            stranger.close()
