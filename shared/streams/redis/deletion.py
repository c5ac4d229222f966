"""Deleting single entries of the log's streams, and how long the others stay. Redis's exceptions pass through."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import redis

from shared.streams.event_log import LogUnavailable, Record, TopicFacts
from shared.streams.redis.layout import decode_spec, entry_id_of, stream_key, topics_key

_AT_ONCE: Final = 1_000


def topic_facts(client: redis.Redis, prefix: str, topics: Sequence[str]) -> dict[str, TopicFacts]:
    """The facts of those topics that exist."""
    found = {}
    for topic in topics:
        text: Any = client.hget(topics_key(prefix), topic)
        if text is None:
            continue
        try:
            spec = decode_spec(topic, text)
        except ValueError as error:
            raise LogUnavailable(f"hash {topics_key(prefix)} in Redis: {error}") from error
        found[topic] = TopicFacts(spec.partitions, spec.retention_ms)
    return found


def delete_entries(client: redis.Redis, prefix: str, topic: str, records: Sequence[Record]) -> int:
    """Delete the entries of records. Returns how many were there."""
    ids: dict[int, list[bytes]] = defaultdict(list)
    for record in records:
        ids[record.partition].append(entry_id_of(record.offset))
    deleted = 0
    for partition, entries in ids.items():
        for start in range(0, len(entries), _AT_ONCE):
            reply: Any = client.xdel(stream_key(prefix, topic, partition), *entries[start : start + _AT_ONCE])
            deleted += reply
    return deleted
