"""Writes a rollup to Redis: absolute values only, all keys in the caller's MULTI/EXEC."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from redis.client import Pipeline

from shared.rollups.codecs import RedisType
from shared.rollups.contract import AUDIENCE_ROWS, SEED_ROWS, SITE_ROWS, Rollup, audience_key
from shared.rollups.model import KEY_TTL_SECONDS
from shared.rollups.rows import Row

_WRITE: Final[dict[RedisType, Callable[[Pipeline, str, Any], object]]] = {
    "hash": lambda pipeline, key, fields: pipeline.hset(key, mapping=fields),
    "zset": lambda pipeline, key, scores: pipeline.zadd(key, scores),
    "list": lambda pipeline, key, items: pipeline.rpush(key, *items),
    "stream": lambda pipeline, key, entries: [pipeline.xadd(key, entry) for entry in entries],
    "string": lambda pipeline, key, text: pipeline.set(key, text),
}


def write(pipeline: Pipeline, rollup: Rollup, prefix: str) -> None:
    """Queue every key of `rollup` on `pipeline`. The caller executes it as one MULTI/EXEC."""
    entries = list(_entries(rollup))
    # Deleted first: old fields must go, and a small hash lists its fields in the order they were written.
    pipeline.delete(*(prefix + key for key, _, _ in entries))
    for key, row, value in entries:
        write_row(pipeline, prefix + key, row, value)


def write_row(pipeline: Pipeline, key: str, row: Row, value: Any) -> None:
    """Queue one key. An empty value queues nothing, as Redis has no empty collections."""
    encoded = row.codec.encode(value)
    if encoded:
        _WRITE[row.codec.type](pipeline, key, encoded)
        pipeline.expire(key, KEY_TTL_SECONDS)


def _entries(rollup: Rollup) -> Iterator[tuple[str, Row, Any]]:
    for attribute, row in SITE_ROWS.items():
        yield row.key, row, getattr(rollup, attribute)
    for audience, figures in rollup.audiences.items():
        for attribute, row in AUDIENCE_ROWS.items():
            yield audience_key(audience, attribute), row, getattr(figures, attribute)
    for attribute, row in SEED_ROWS.items():
        yield row.key, row, getattr(rollup.seed, attribute)
