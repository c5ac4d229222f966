"""The sender thread: publishes the newest reports of this replica's partitions and never blocks folding."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Final, Protocol, Self

import redis

from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.rollups.segments import PartitionMinutes
from shared.runtime.dependency import Dependency
from shared.runtime.logs import get_logger
from shared.status.health import Health

logger = get_logger(__name__)

_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 2.0
_STUCK_SECONDS: Final = 15.0
"""A publish that takes longer is stuck: calls to Redis time out after five seconds."""
_PART: Final = "sender"
_LAST_ATTEMPT_SECONDS: Final = 3.0
"""The sender starts its last publish at most this long after the stop. A publish to a Redis that hangs times out after
five seconds (`shared.runtime.redis_client`), and the process ends within ten."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a replica publishes at an instant (epoch seconds), by partition. Empty until it owns one.

    `since_s`: the instant at which it was assigned each partition last.
    """

    instant_s: int
    reports: Mapping[int, PartitionReport]
    segments: Sequence[PartitionMinutes]
    since_s: Mapping[int, int]


class Publisher(Protocol):
    """Where publications go. See `services.aggregate.publishing.publisher.RedisPublisher`."""

    def publish(self, publication: Publication) -> None:
        """Publish it. After a redis.RedisError the caller may retry with it or a newer one."""

    def leave(self) -> None:
        """Announce to the other replicas that this one has stopped publishing. Raises redis.RedisError."""


class Sender:
    """Publishes the latest `offer`. `with` starts its thread, and ends it after a last publish.

    While Redis is unavailable it keeps only the newest publication, so that it publishes current numbers afterwards.
    An unavailable Redis delays the end by the attempt in progress and at most one more.
    """

    def __init__(self, publisher: Publisher, health: Health, *, stuck_seconds: float = _STUCK_SECONDS) -> None:
        self._stuck_seconds = stuck_seconds
        self._publisher = publisher
        self._health = health
        self._redis = Dependency("Redis", health, "redis")
        self._offered: Publication | None = None
        self._changed = Condition()  # held for the swap, never for I/O
        self._stopping = False
        self._failure: Exception | None = None
        self._last_attempt_at = float("inf")  # time.monotonic()
        self._began_at: float | None = None  # time.monotonic() of the publish in progress
        self._thread = Thread(target=self._run, name="sender", daemon=True)

    def offer(self, publication: Publication) -> None:
        """Set the publication to send next. It replaces a pending one.

        Raises the exception that ended the thread, so that a service that cannot publish stops counting. A publish that
        neither ends nor fails makes health fail, which only its caller can notice.
        """
        began_at = self._began_at
        if began_at is not None and time.monotonic() - began_at > self._stuck_seconds:
            self._health.failing(_PART, f"a publish has not ended for {time.monotonic() - began_at:.0f} s")
        with self._changed:
            if self._failure is not None:
                raise self._failure
            self._offered = publication
            self._changed.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._last_attempt_at = time.monotonic() + _LAST_ATTEMPT_SECONDS
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._publish_until_stopped()
        except Exception as failure:
            logger.exception("publishing failed")
            with self._changed:
                self._failure = failure  # raised by `offer`, which ends the process

    def _publish_until_stopped(self) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._offered is not None)
                publication, self._offered = self._offered, None
                stopping = self._stopping
            if time.monotonic() > self._last_attempt_at:
                logger.warning("Redis is unavailable, the last rollup is not published")
                return
            if publication is None or self._is_published(publication):
                wait_seconds = _FIRST_WAIT_SECONDS
            elif stopping:
                return  # the other replicas notice within two seconds
            else:
                with self._changed:
                    self._offered = self._offered or publication
                    self._changed.wait_for(lambda: self._stopping, wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
            if stopping:
                with suppress(redis.RedisError):
                    self._publisher.leave()
                return

    def _is_published(self, publication: Publication) -> bool:
        self._began_at = time.monotonic()
        try:
            self._publisher.publish(publication)
        except redis.RedisError as error:
            self._redis.failed(error, "cannot publish, retrying with the newest rollup")
            return False
        finally:
            self._began_at = None
            self._health.working(_PART)
        self._redis.answered()
        return True
