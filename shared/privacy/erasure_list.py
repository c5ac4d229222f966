"""The list of erasures in Redis, and what the services report of it. Redis's exceptions pass through."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

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
SITES_KEY: Final = "privacy:sites"
"""Site with a group of its own → when that last ran, epoch ms, and its REDIS_PREFIX."""
MOST_ERASURES: Final = 100_000
_MOST_SITES: Final = 10_000
_LONGEST_BYTES: Final = 512


class PublishedSite(NamedTuple):
    """A site that a group of aggregate publishes under its own prefix."""

    name: str
    prefix: str


class ErasureList:
    """The list in Redis."""

    def __init__(self, client: redis.Redis, prefix: str, most: int = MOST_ERASURES) -> None:
        """A list of more than `most` is nobody's, so it is ignored."""
        self._client = client
        self._most = most
        self._erasures_key = prefix + ERASURES_KEY
        self._honoured_key = prefix + HONOURED_KEY
        self._sites_key = prefix + SITES_KEY

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

    def report(self, topic: str, honoured_ms: Mapping[int, int], site: str = "") -> None:
        """Report the newest erasure that the state of each partition honours, in the group of a site or of all."""
        if honoured_ms:
            pipeline = self._client.pipeline(transaction=False)
            mapping: dict[Any, Any] = {
                f"{_state(topic, site)}:{partition}": instant_ms for partition, instant_ms in honoured_ms.items()
            }
            pipeline.hset(self._honoured_key, mapping=mapping)
            pipeline.pexpire(self._honoured_key, KEPT_MS)
            pipeline.execute()

    def honoured(self, topic: str, site: str = "") -> dict[int, int]:
        """The newest erasure that the state of each partition honours."""
        fields: Any = self._client.hgetall(self._honoured_key)
        found = {}
        for name, text in fields.items():
            named, _, partition = name.rpartition(b":")
            if named == _state(topic, site).encode() and partition.isdigit() and text.isdigit() and len(text) < 20:
                found[int(partition)] = int(text)
        return found

    def note_site(self, site: PublishedSite, now_ms: int) -> None:
        """Note that the group of a site runs, and drop those that have not for as long as erasures are kept."""
        if self._client.type(self._sites_key) not in {b"hash", b"none"}:
            self._client.delete(self._sites_key)
        ended = [name for name in self._noted(now_ms - KEPT_MS, ended=True) if name != site.name]
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hset(self._sites_key, site.name, f"{now_ms} {site.prefix}")
        pipeline.pexpire(self._sites_key, KEPT_MS)
        if ended:
            pipeline.hdel(self._sites_key, *ended)
        pipeline.execute()

    def sites(self, now_ms: int) -> list[PublishedSite]:
        """The sites whose group has run for as long as erasures are kept: their state and keys may hold visitors."""
        return [PublishedSite(name, prefix) for name, prefix in sorted(self._noted(now_ms - KEPT_MS).items())]

    def _noted(self, since_ms: int, *, ended: bool = False) -> dict[str, str]:
        """The prefix of each site that was noted since an instant; or not since, if `ended`."""
        if self._client.type(self._sites_key) != b"hash":
            return {}
        entries: Any = self._client.hlen(self._sites_key)
        if entries > _MOST_SITES:
            UNREADABLE.drop(SITES_KEY, f"{entries} sites, at most {_MOST_SITES} fit", "deleted")
            self._client.delete(self._sites_key)
            return {}
        fields: Any = self._client.hgetall(self._sites_key)
        found = {}
        for name, text in fields.items():
            digits, _, prefix = text.partition(b" ")
            is_one = digits.isdigit() and len(digits) < 20 and len(text) <= _LONGEST_BYTES and prefix
            if (not is_one or int(digits) < since_ms) == ended:
                found[name.decode("utf-8", "replace")] = prefix.decode("utf-8", "replace")
        return found


def _state(topic: str, site: str) -> str:
    """What a group's state is called; no topic has a slash."""
    return f"{topic}/{site}" if site else topic
