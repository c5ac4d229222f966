"""The list of erasures in Redis, and what the services report of it. Redis's exceptions pass through."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import redis
from redis.client import Pipeline

from shared.events.timestamps import LATEST_MS
from shared.privacy.erasures import KEPT_MS, Erasure, encode_erasure, read_erasures
from shared.runtime.redis_replies import is_wrong_type
from shared.status.unreadable import UNREADABLE

ERASURES_KEY: Final = "privacy:erasures"
"""Token of a visitor → until when it is erased, and until when that is kept, epoch ms. Holds no id."""
HONOURED_KEY: Final = "privacy:honoured"
"""`<topic>:<partition>` → the newest erasure that aggregate's state of the partition honours, epoch ms."""
MOST_ERASURES: Final = 100_000


class ErasureList:
    """The list in Redis."""

    def __init__(self, client: redis.Redis, prefix: str, most: int = MOST_ERASURES) -> None:
        """A list of more than `most` is nobody's, so it is ignored."""
        self._client = client
        self._most = most
        self._erasures_key = prefix + ERASURES_KEY
        self._honoured_key = prefix + HONOURED_KEY

    def read(self, now_ms: int) -> dict[str, Erasure]:
        """The erasures in force, by token."""
        try:
            entries: Any = self._client.hlen(self._erasures_key)
        except redis.ResponseError as error:
            if not is_wrong_type(error):
                raise
            UNREADABLE.drop(ERASURES_KEY, "a key of another type", "writing it anew where it is known")
            return {}
        if entries > self._most:
            UNREADABLE.drop(ERASURES_KEY, f"{entries} erasures, at most {self._most} fit")
            return {}
        fields: Any = self._client.hgetall(self._erasures_key)
        return read_erasures(fields, now_ms)

    def erase(self, tokens: Collection[str], now_ms: int, kept_ms: int) -> int:
        """Erase visitors up to `now_ms`, and keep that for `kept_ms`. Returns the instant of the erasure.

        It is later than that of every earlier erasure, whatever the clocks: a state that honours the newest one honours
        all of them.
        """
        self._drop_foreign()

        def add(pipeline: Pipeline) -> Any:
            fields: Any = pipeline.hgetall(self._erasures_key)
            known = read_erasures(fields, now_ms)
            until_ms = max([now_ms, *(erasure.until_ms + 1 for erasure in known.values())])
            erasure = encode_erasure(Erasure(until_ms, min(until_ms + kept_ms, LATEST_MS)))
            pipeline.multi()
            pipeline.hset(self._erasures_key, mapping=dict.fromkeys(tokens, erasure))
            return until_ms

        until_ms: Any = self._client.transaction(add, self._erasures_key, value_from_callable=True)
        return int(until_ms)

    def add(self, erasures: Mapping[str, Erasure], now_ms: int) -> None:
        """Add erasures that were lost, and drop those that need not be kept any more."""
        self._drop_foreign()
        fields: Any = self._client.hgetall(self._erasures_key)
        expired = fields.keys() - {token.encode() for token in read_erasures(fields, now_ms)}
        pipeline = self._client.pipeline(transaction=True)
        if expired:
            pipeline.hdel(self._erasures_key, *expired)
        if erasures:
            pipeline.hset(
                self._erasures_key, mapping={token: encode_erasure(erasure) for token, erasure in erasures.items()}
            )
        pipeline.execute()

    def _drop_foreign(self) -> None:
        if self._client.type(self._erasures_key) not in {b"hash", b"none"}:
            self._client.delete(self._erasures_key)

    def report(self, topic: str, honoured_ms: Mapping[int, int]) -> None:
        """Report the newest erasure that the state of each partition honours."""
        if honoured_ms:
            pipeline = self._client.pipeline(transaction=False)
            mapping: dict[Any, Any] = {
                f"{topic}:{partition}": instant_ms for partition, instant_ms in honoured_ms.items()
            }
            pipeline.hset(self._honoured_key, mapping=mapping)
            pipeline.pexpire(self._honoured_key, KEPT_MS)
            pipeline.execute()

    def honoured(self, topic: str) -> dict[int, int]:
        """The newest erasure that the state of each partition honours."""
        fields: Any = self._client.hgetall(self._honoured_key)
        found = {}
        for name, text in fields.items():
            named, _, partition = name.rpartition(b":")
            if named == topic.encode() and partition.isdigit() and text.isdigit() and len(text) < 20:
                found[int(partition)] = int(text)
        return found
