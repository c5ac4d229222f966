"""The sender thread: writes the newest rollup to Redis, each in one MULTI/EXEC, and never holds up folding."""

from threading import Condition, Thread
from typing import Final, Self

import redis

from shared.health import Health
from shared.logs import get_logger
from shared.rollup_keys import Rollup, write

logger = get_logger(__name__)

_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 2.0
_PART: Final = "redis"


class Sender:
    """Publishes what `offer` was last given. `with` starts its thread, and ends it with a last publish.

    While Redis is away only the newest rollup is kept, so that its return is answered with the current truth.
    """

    def __init__(self, client: redis.Redis, prefix: str, health: Health) -> None:
        self._client = client
        self._prefix = prefix
        self._health = health
        self._offered: Rollup | None = None
        self._changed = Condition()  # guards the swap alone, never I/O
        self._stopping = False
        self._thread = Thread(target=self._run, name="sender", daemon=True)

    def offer(self, rollup: Rollup) -> None:
        """Hand over the newest rollup; it takes the place of one that was not published yet."""
        with self._changed:
            self._offered = rollup
            self._changed.notify()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._offered is not None)
                rollup, self._offered = self._offered, None
                stopping = self._stopping
            if rollup is None or self._is_published(rollup):
                wait_seconds = _FIRST_WAIT_SECONDS
            elif not stopping:
                with self._changed:
                    self._offered = self._offered or rollup
                    self._changed.wait_for(lambda: self._stopping, wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)
            if stopping:
                return

    def _is_published(self, rollup: Rollup) -> bool:
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                write(pipeline, rollup, self._prefix)
                pipeline.execute()
        except redis.exceptions.RedisError as error:
            self._health.failing(_PART, f"rollups cannot be published: {error}")
            logger.warning(
                "publish failed, trying again with the newest rollup", as_of=rollup.meta.published_at, error=str(error)
            )
            return False
        if not self._health.is_working(_PART):
            logger.info("publishing again", as_of=rollup.meta.published_at)
        self._health.working(_PART)
        return True
