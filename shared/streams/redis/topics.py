"""The topics on the Redis log: their specifications, and appending to them."""

import itertools
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import redis
from redis.client import Pipeline

from shared.streams.event_log import LogUnavailable, ToAppend, TopicSpec
from shared.streams.redis.foreign_ids import AHEAD_MS, repair
from shared.streams.redis.layout import (
    decode_spec,
    encode_fields,
    encode_spec,
    entry_id_of,
    first_offset_at,
    is_foreign,
    stream_key,
    topics_key,
)
from shared.streams.redis.partitioning import partition_of
from shared.streams.redis.trimming import Trimmer


class Topics:
    """What one connection knows of the topics. Redis's exceptions pass through."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        partitions: int,
        retention_ms: int,
        most_records: int,
        most_bytes: int | None = None,
    ) -> None:
        """`partitions` and `retention_ms` are for topics that nobody created.

        A partition keeps `most_records`, all of them together `most_bytes`.
        """
        self.trimmer = Trimmer(client, prefix, most_bytes)
        self.client = client
        self._prefix = prefix
        self._partitions = partitions
        self._retention_ms = retention_ms
        self._most_records = most_records
        self._known: dict[str, TopicSpec] = {}
        self._turn = itertools.count()  # records without a key take the partitions in turn

    def spec(self, name: str) -> TopicSpec:
        """The topic's specification, cached. Created with the defaults if missing."""
        known = self._known.get(name)
        if known is None:
            default = TopicSpec(name, self._partitions, self._retention_ms)
            with self.client.pipeline() as transaction:
                transaction.hsetnx(topics_key(self._prefix), name, encode_spec(default))
                transaction.hget(topics_key(self._prefix), name)
                _, text = transaction.execute()
            try:
                known = self._known[name] = decode_spec(name, text)
            except ValueError as error:
                raise LogUnavailable(f"hash {topics_key(self._prefix)} in Redis: {error}") from error
        return known

    def key_types(self) -> dict[str, str]:
        """The type of each key of the topics known so far."""
        return {
            topics_key(self._prefix): "hash",
            **{
                stream_key(self._prefix, spec.name, partition): "stream"
                for spec in self._known.values()
                for partition in range(spec.partitions)
            },
        }

    def append(self, pipeline: Pipeline, records: Sequence[ToAppend]) -> list[str]:
        """Queue the records on `pipeline`, and trim each stream by age and length. Returns the stream of each."""
        streams = []
        specs = {topic: self.spec(topic) for topic in {topic for topic, *_ in records}}
        now_ms = time.time_ns() // 1_000_000
        trimmed = set()
        for record in records:
            topic, key, _, _ = record
            spec = specs[topic]
            partition = next(self._turn) % spec.partitions if key is None else partition_of(key, spec.partitions)
            stream = stream_key(self._prefix, topic, partition)
            streams.append(stream)
            if stream in trimmed:
                pipeline.execute_command("XADD", stream, "*", *encode_fields(record))
            else:
                trimmed.add(stream)
                oldest = entry_id_of(first_offset_at(now_ms - spec.retention_ms))
                pipeline.execute_command("XADD", stream, "MINID", "~", oldest, "*", *encode_fields(record))
        for stream in sorted(trimmed):
            pipeline.xtrim(stream, maxlen=self._most_records, approximate=True)
        return streams

    def repair_foreign(self, appended: Iterable[tuple[str, Any]]) -> None:
        """Repair the streams in which an entry got a foreign id, or none. Takes streams and XADD's replies."""
        latest_ms = time.time_ns() // 1_000_000 + AHEAD_MS
        for stream, entry_id in dict(appended).items():  # the last of each stream
            if isinstance(entry_id, Exception) or is_foreign(entry_id, latest_ms):
                repair(self.client, stream)


def set_retentions(client: redis.Redis, prefix: str, topics: Sequence[TopicSpec]) -> None:
    """Let existing topics keep records for as long as these say. Appends trim by it from then on."""
    if not topics:
        return
    stored: Any = client.hmget(topics_key(prefix), [topic.name for topic in topics])
    for topic, text in zip(topics, stored, strict=True):
        with suppress(ValueError):  # `Topics.spec` reports it
            known = decode_spec(topic.name, text or b"")
            if known.retention_ms != topic.retention_ms:
                client.hset(
                    topics_key(prefix), topic.name, encode_spec(replace(known, retention_ms=topic.retention_ms))
                )
