"""Writes a rollup to Redis: absolute values only, all keys in the caller's MULTI/EXEC."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from redis.client import Pipeline

from shared.rollups.codecs import RedisType
from shared.rollups.contract import AUDIENCE_ROWS, PREVIOUS_ROWS, SEED_ROWS, SITE_ROWS, Rollup, of_audience
from shared.rollups.model import KEY_TTL_SECONDS
from shared.rollups.rows import Row

_WRITE: Final[dict[RedisType, Callable[[Pipeline, str, Any], object]]] = {
    "hash": lambda pipeline, key, fields: pipeline.hset(key, mapping=fields),
    "zset": lambda pipeline, key, scores: pipeline.zadd(key, scores),
    "list": lambda pipeline, key, items: pipeline.rpush(key, *items),
    "stream": lambda pipeline, key, entries: [pipeline.xadd(key, entry) for entry in entries],
    "string": lambda pipeline, key, text: pipeline.set(key, text),
}


_SIZE: Final[dict[RedisType, Callable[[Pipeline, str], object]]] = {
    "list": lambda pipeline, key: pipeline.llen(key),
    "string": lambda pipeline, key: pipeline.strlen(key),
}


class RollupWriter:
    """Writes one rollup after another. Values of `Row.only_changes` are kept while they do not change."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._stored: dict[str, tuple[Row, Any]] = {}  # encoded values that Redis holds, by key
        self._queued: dict[str, tuple[Row, Any]] = {}

    def verify(self) -> None:
        """Forget what Redis does not hold as it was written, as after a flush. Raises redis-py's exceptions."""
        if not self._stored:
            return
        pipeline = self._client.pipeline(transaction=False)
        for key, (row, _) in self._stored.items():
            _SIZE[row.codec.type](pipeline, key)
        if pipeline.execute(raise_on_error=False) != [len(encoded) for _, encoded in self._stored.values()]:
            self.forget()

    def write(self, pipeline: Pipeline, rollup: Rollup) -> None:
        """Queue every key of `rollup` on `pipeline`. The caller executes it as one MULTI/EXEC, then calls `confirm`."""
        entries = [(self._prefix + key, row, row.codec.encode(value)) for key, row, value in _entries(rollup)]
        stored, self._stored = self._stored, {}  # unknown until the transaction has ended
        self._queued = {key: (row, encoded) for key, row, encoded in entries if row.only_changes and encoded}
        kept = {key for key, (_, encoded) in self._queued.items() if key in stored and stored[key][1] == encoded}
        # Deleted first: old fields must go, and a small hash lists its fields in the order they were written.
        pipeline.delete(*(key for key, _, _ in entries if key not in kept))
        for key, row, encoded in entries:
            if key in kept:
                pipeline.expire(key, KEY_TTL_SECONDS)
            else:
                _write_encoded(pipeline, key, row, encoded)

    def confirm(self) -> None:
        """The transaction of the last `write` has been executed."""
        self._stored = self._queued

    def forget(self) -> None:
        """Write everything next time: another process may have written meanwhile."""
        self._stored = {}


def write_row(pipeline: Pipeline, key: str, row: Row, value: Any) -> None:
    """Queue one key. An empty value queues nothing, as Redis has no empty collections."""
    _write_encoded(pipeline, key, row, row.codec.encode(value))


def _write_encoded(pipeline: Pipeline, key: str, row: Row, encoded: Any) -> None:
    if encoded:
        _WRITE[row.codec.type](pipeline, key, encoded)
        pipeline.expire(key, KEY_TTL_SECONDS)


def _entries(rollup: Rollup) -> Iterator[tuple[str, Row, Any]]:
    for attribute, row in SITE_ROWS.items():
        yield row.key, row, getattr(rollup, attribute)
    for audience, figures in rollup.audiences.items():
        for attribute, row in AUDIENCE_ROWS.items():
            yield of_audience(row, audience), row, getattr(figures, attribute)
        for ranking, row in PREVIOUS_ROWS.items():
            yield of_audience(row, audience), row, figures.previous.get(ranking, {})
    for attribute, row in SEED_ROWS.items():
        yield row.key, row, getattr(rollup.seed, attribute)
