"""Follows the list of erasures in Redis, on a thread."""

import time
from collections.abc import Mapping
from threading import Event, Lock, Thread
from typing import Final, Self

import redis

from shared.privacy.erasure_list import ErasureList, PublishedSite
from shared.privacy.erasures import Erasures
from shared.runtime.logs import get_logger
from shared.runtime.once import Once
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.runtime.tracebacks import error_text

logger = get_logger(__name__)

LOOK_SECONDS: Final = 2.0
_JOIN_SECONDS: Final = 1.0
"""A look that hangs with Redis does not keep the process: what it writes can be written again."""


class ErasureWatch:
    """`current()` is at most a few seconds old while Redis answers. An erasure that was seen once stays in force.

    With a `topic`, it also restores in Redis what Redis lost, and reports what the topic's state honours.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        key: bytes = b"",
        topic: str | None = None,
        site: PublishedSite | None = None,
    ) -> None:
        """`key` is that of `token_of`; `site` the one whose events the state counts, None for all."""
        self._list = ErasureList(client, prefix)
        self._topic = topic
        self._site = site
        self._erasures = Erasures(key=key)
        self._key = key
        self._honoured_ms: Mapping[int, int] = {}
        self._lock = Lock()
        self._stop = Event()
        self._warned = Once()
        self._thread = Thread(target=self._run, name="erasure-watch", daemon=True)

    def current(self) -> Erasures:
        """The erasures in force."""
        return self._erasures

    def learn(self, erasures: Erasures) -> None:
        """Take over the erasures of a saved state: Redis may have lost them."""
        with self._lock:
            self._erasures = self._erasures.with_all(erasures)

    def honour(self, honoured_ms: Mapping[int, int]) -> None:
        """Report that the state of each partition honours the erasures up to an instant."""
        self._honoured_ms = dict(honoured_ms)

    def look(self) -> None:
        """Read the list, restore what it lost, and report. Raises redis-py's exceptions."""
        now_ms = time.time_ns() // 1_000_000
        found = Erasures(self._list.read(now_ms), self._key)
        with self._lock:
            known = self._erasures = self._erasures.with_all(found).at(now_ms)
        if self._topic is not None:
            lost = {token: erasure for token, erasure in known.by_token.items() if token not in found.by_token}
            if lost:
                self._list.add(lost, now_ms)
            if self._site is not None:
                self._list.note_site(self._site, now_ms)
            self._list.report(self._topic, self._honoured_ms, self._site.name if self._site is not None else "")

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._try_to_look()

    def _try_to_look(self) -> None:
        try:
            self.look()
        except REDIS_UNAVAILABLE:
            return  # the service itself reports an outage
        except redis.exceptions.RedisError as error:  # such as a missing right, or a key of another type
            if self._warned.is_new():
                logger.warning("cannot follow the list of erasures", error=error_text(error))
            return
        self._warned.forget()

    def __enter__(self) -> Self:
        self._try_to_look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_JOIN_SECONDS)
