"""Removes what others wrote under aggregate's keys when it stops publishing: values of another type, or too large."""

from collections.abc import Mapping
from typing import Any, Final

import redis

from services.aggregate.publishing.lease import LEASE_KEY
from services.aggregate.publishing.replicas import ACKS_KEY, PUBLISHED_KEY, REPLICAS_KEY
from services.aggregate.publishing.shares import REPORTS_KEY
from services.aggregate.publishing.site_claim import CLAIM_KEY
from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import SEGMENTS_KEY
from shared.runtime.redis_replies import ReplyTooLarge, is_wrong_type
from shared.status.unreadable import UNREADABLE

_TYPES: Final[Mapping[str, bytes]] = {
    LEASE_KEY: b"string",
    REPLICAS_KEY: b"hash",
    PUBLISHED_KEY: b"string",
    CLAIM_KEY: b"string",
    ACKS_KEY: b"hash",
    META_KEY: b"hash",
    SEGMENTS_KEY: b"hash",
}
_READ_AT_ONCE: Final = (REPLICAS_KEY, ACKS_KEY, META_KEY, SEGMENTS_KEY)


def is_repairable(error: redis.RedisError) -> bool:
    """Whether a publish failed because of what others wrote."""
    return is_wrong_type(error) or isinstance(error, ReplyTooLarge)


def repair(client: redis.Redis, prefix: str, instant_s: int, error: redis.RedisError) -> None:
    """Delete the keys that made a publish fail: replicas write theirs again within a second.

    Raises redis-py's exceptions.
    """
    types = {**_TYPES, f"{REPORTS_KEY}:{instant_s}": b"hash"}
    pipeline = client.pipeline(transaction=True)
    for key in types:
        pipeline.type(prefix + key)
    found: list[Any] = pipeline.execute()
    wrong = [key for key, type_ in zip(types, found, strict=True) if type_ not in {types[key], b"none"}]
    if isinstance(error, ReplyTooLarge):
        wrong += [key for key in _READ_AT_ONCE if key not in wrong]
    for key in wrong:
        UNREADABLE.drop(key.rpartition(f":{instant_s}")[0] or key, str(error), "deleted")
    if wrong:
        client.delete(*(prefix + key for key in wrong))
