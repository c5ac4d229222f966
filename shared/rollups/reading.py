"""Reads one audience's snapshot from Redis in one round trip."""

from collections.abc import Callable
from typing import Any, Final

import redis
from redis.client import Pipeline

from shared.rollups.codecs import MOST_ENTRIES, UNREADABLE, RedisType
from shared.rollups.contract import (
    AUDIENCE_ROWS,
    PREVIOUS_ROWS,
    SNAPSHOT_ROWS,
    STATE_LOG_KEY,
    AudienceRollup,
    Snapshot,
    of_audience,
)
from shared.rollups.model import Audience, MalformedRollup, Meta
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.rows import Row

_ASK: Final[dict[RedisType, Callable[[Pipeline, str, int | None], object]]] = {
    "hash": lambda pipeline, key, _: pipeline.hgetall(key),
    "zset": lambda pipeline, key, limit: pipeline.zrange(key, -(limit or MOST_ENTRIES), -1, withscores=True),
    "list": lambda pipeline, key, limit: pipeline.lrange(key, 0, (limit or MOST_ENTRIES) - 1),
    "stream": lambda pipeline, key, limit: pipeline.xrevrange(key, count=limit),
    "string": lambda pipeline, key, _: pipeline.get(key),
}


def read(client: redis.Redis, audience: Audience, prefix: str, *, with_state_log: bool = True) -> Snapshot | None:
    """Read one consistent snapshot; None before the first publish. Without the state log, that is empty.

    Raises MalformedRollup, and redis-py's exceptions when Redis is unreachable.
    """
    asked = {name: row for name, row in SNAPSHOT_ROWS.items() if with_state_log or row.key != STATE_LOG_KEY}
    site = [(prefix + row.key, row) for row in asked.values()]
    own = [
        (prefix + of_audience(row, audience), row) for rows in (AUDIENCE_ROWS, PREVIOUS_ROWS) for row in rows.values()
    ]
    pipeline = client.pipeline(transaction=True)
    for key, row in site + own:
        ask(pipeline, key, row)
    try:
        replies = pipeline.execute()
    except redis.exceptions.ResponseError as error:
        # redis-py's message names the command and key. Other errors (no permission) are not about the data.
        if "WRONGTYPE" not in str(error):
            raise
        raise MalformedRollup(f"a key is of the wrong type: {error}") from error
    if not replies[0]:  # the meta
        return None
    values = [_decoded(key, row, reply) for (key, row), reply in zip(site + own, replies, strict=True)]
    figures = values[len(site) :]
    previous = dict(zip(PREVIOUS_ROWS, figures[len(AUDIENCE_ROWS) :], strict=True))
    windows = AudienceRollup(**dict(zip(AUDIENCE_ROWS, figures, strict=False)), previous=previous)
    found: dict[str, Any] = {"state_log": [], **dict(zip(asked, values, strict=False))}
    return Snapshot(windows=windows, **found)


def read_meta(client: redis.Redis, prefix: str) -> Meta | None:
    """Read how fresh and how complete the latest rollup is; None before the first publish. Raises as `read` does."""
    meta: Meta | None = _read_one(client, prefix, SNAPSHOT_ROWS["meta"])
    return meta


def read_proof(client: redis.Redis, prefix: str) -> Proof | None:
    """Read the result of the last proof; None before the first. Raises as `read` does."""
    proof: Proof | None = _read_one(client, prefix, PROOF_ROW)
    return proof


def _read_one(client: redis.Redis, prefix: str, row: Row) -> Any:
    pipeline = client.pipeline(transaction=False)
    ask(pipeline, prefix + row.key, row)
    try:
        (reply,) = pipeline.execute()
    except redis.exceptions.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        raise MalformedRollup(f"{row.key} is of the wrong type: {error}") from error
    return _decoded(prefix + row.key, row, reply) if reply else None


def ask(pipeline: Pipeline, key: str, row: Row) -> None:
    """Queue the command whose reply `row.codec.decode` takes."""
    _ASK[row.codec.type](pipeline, key, row.limit)


def _decoded(key: str, row: Row, reply: Any) -> Any:
    try:
        return row.codec.decode(reply)
    except UNREADABLE as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)  # str(KeyError) is the bare key
        raise MalformedRollup(f"{key} cannot be read: {reason}") from error
