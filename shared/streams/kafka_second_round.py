"""The second round of a rebalance, which a restart can swallow.

A cooperative rebalance takes two rounds: members give up what is to move, then join again and others get it. A member
with a name that dies between the two and is back within its session is given what the first round left it, and for the
broker nothing has changed: it asks nobody to join again, and what was to move has no reader until a member comes or
goes. So a named member, some seconds after it joined, has a stranger come and go. The stranger reads another topic, so
that nothing moves to it: who has a partition keeps it, and what has no reader gets one.
"""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from confluent_kafka import KafkaException
from quixstreams.kafka import Consumer

from shared.logs import get_logger

logger = get_logger(__name__)

_SETTLE_SECONDS: Final = 4.0
"""After joining. The second round, where it comes, begins within the heartbeat of two seconds."""

_VISIT_SECONDS: Final = 10.0
"""At most: the others join again at their next heartbeat, or when their listeners are through."""

_SLICE_SECONDS: Final = 0.1

_MOST_VISITS: Final = 10
"""Without success, as without a broker or without that topic."""


class SecondRound:
    """Asks for the second round in a thread of its own, once each time that it is started."""

    def __init__(self, make_stranger: Callable[[], Consumer], other_topic: str) -> None:
        """`other_topic` exists, and no member of the group reads it."""
        self._make_stranger = make_stranger
        self._other_topic = other_topic
        self._end = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Ask some seconds from now, as a member that joins should. Does nothing while it is about to already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._ask, name="second round", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more. Does not wait for what is under way."""
        self._end.set()

    def _ask(self) -> None:
        for _ in range(_MOST_VISITS):
            if self._end.wait(_SETTLE_SECONDS) or self._visit():
                return

    def _visit(self) -> bool:
        """Come and go; whether the group took notice."""
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
        return came.is_set()
