"""Trims the log's streams by age and by bytes, outside appends too: a full Redis refuses those.

Redis's exceptions pass through.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import redis

from shared.runtime.logs import get_logger
from shared.streams.event_log import TopicSpec
from shared.streams.redis.layout import decode_spec, entry_id_of, first_offset_at, stream_key, topics_key

logger = get_logger(__name__)

_INTERVAL_SECONDS: Final = 5.0
_MOST_SHARE: Final = 0.01
"""Measuring streams may take this share of the time at most: Redis visits all their entries."""

_FULL_SHARE: Final = 0.95
"""Of `maxmemory`: above it the log is trimmed, until others can write to `_WANTED_SHARE` of it."""

_WANTED_SHARE: Final = 0.9
_AIMED_SHARE: Final = 0.98
"""Of the limit, once it is exceeded. Redis drops whole nodes of a stream: an excess smaller than one would stay."""

_ROUNDS: Final = 20  # Redis trims 10,000 entries at a time, and large entries may follow small ones
_MOST_STREAMS: Final = 16_384
_QUIET_SECONDS: Final = 60.0


class _Memory(NamedTuple):
    used: int
    maximum: int  # 0 without one


class Trimmer:
    """Trims all topics. Each process does: trimming what is trimmed changes nothing."""

    def __init__(self, client: redis.Redis, prefix: str, most_bytes: int | None) -> None:
        """`most_bytes` is the limit of all streams together. None: what `maxmemory` of Redis leaves."""
        self.client = client
        self._prefix = prefix
        self._most_bytes = most_bytes
        self._next_at = float("-inf")  # time.monotonic()
        self._logged_at = float("-inf")

    def trim_when_due(self) -> None:
        """Trim every few seconds."""
        if time.monotonic() >= self._next_at:
            self.trim(is_full=False)

    def trim(self, *, is_full: bool = True) -> None:
        """Trim now. `is_full` says that Redis just refused a write for lack of memory."""
        began_at = time.monotonic()
        self._next_at = began_at + _INTERVAL_SECONDS
        specs = self._specs()
        if specs:
            self._trim_by_age(specs)
            self._trim_by_bytes(list(specs), is_full=is_full)
        taken_seconds = time.monotonic() - began_at
        self._next_at = began_at + max(_INTERVAL_SECONDS, taken_seconds / _MOST_SHARE)

    def _specs(self) -> dict[str, TopicSpec]:
        """The specification of the topic of each stream."""
        streams: dict[str, TopicSpec] = {}
        known: Any = self.client.hgetall(topics_key(self._prefix))
        for name, text in known.items():
            with suppress(ValueError):  # whoever reads the topic reports it
                spec = decode_spec(name.decode(), text)
                if len(streams) + spec.partitions > _MOST_STREAMS:
                    continue  # anybody may write to this hash
                for partition in range(spec.partitions):
                    streams[stream_key(self._prefix, spec.name, partition)] = spec
        return streams

    def _trim_by_age(self, specs: Mapping[str, TopicSpec]) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._trim(
            {
                stream: ("MINID", entry_id_of(first_offset_at(now_ms - spec.retention_ms)))
                for stream, spec in specs.items()
            }
        )

    def _trim_by_bytes(self, streams: list[str], *, is_full: bool) -> None:
        dropped = 0
        for _ in range(_ROUNDS):
            memory = self._memory()
            if not self._may_be_too_large(memory, is_full=is_full):
                break
            sizes = self._sizes(streams)
            most_bytes = self._limit(memory, sum(sizes.values()), is_full=is_full)
            if most_bytes is None or sum(sizes.values()) <= most_bytes:
                break
            trimmed = self._trim_to(sizes, int(_AIMED_SHARE * most_bytes))
            if not trimmed:
                break
            dropped += trimmed
        if dropped and time.monotonic() - self._logged_at >= _QUIET_SECONDS:
            self._logged_at = time.monotonic()
            logger.warning("the log outgrows its memory, its oldest records are dropped", records=dropped)

    def _may_be_too_large(self, memory: "_Memory | None", *, is_full: bool) -> bool:
        """Whether to measure the streams, for which Redis visits all their entries."""
        if memory is None:
            return self._most_bytes is not None
        if self._most_bytes is not None and memory.used > self._most_bytes:
            return True
        return memory.maximum > 0 and (is_full or memory.used > _FULL_SHARE * memory.maximum)

    def _limit(self, memory: "_Memory | None", log_bytes: int, *, is_full: bool) -> int | None:
        """How many bytes all streams together may take; None without a limit."""
        if memory is None or not memory.maximum or not (is_full or memory.used > _FULL_SHARE * memory.maximum):
            return self._most_bytes
        left = int(_WANTED_SHARE * memory.maximum) - (memory.used - log_bytes)
        if left <= 0:  # other keys take all: an empty log would not help
            return self._most_bytes
        return min(left, self._most_bytes or left)

    def _trim_to(self, sizes: Mapping[str, int], most_bytes: int) -> int:
        lengths = self._lengths(sizes)
        share = fair_share(list(sizes.values()), most_bytes)
        return self._trim(
            {stream: ("MAXLEN", int(lengths[stream] * share / size)) for stream, size in sizes.items() if size > share}
        )

    def _memory(self) -> "_Memory | None":
        """What Redis uses; None for a user who may not ask."""
        with suppress(redis.ResponseError):
            facts: Any = self.client.info("memory")
            return _Memory(int(facts["used_memory"]), int(facts.get("maxmemory", 0)))
        return None

    def _sizes(self, streams: list[str]) -> dict[str, int]:
        """The bytes of each stream that exists."""
        with self.client.pipeline(transaction=False) as pipeline:
            for stream in streams:
                pipeline.memory_usage(stream, samples=0)  # all of it: entries differ
            replies = pipeline.execute(raise_on_error=False)
        return {stream: size for stream, size in zip(streams, replies, strict=True) if isinstance(size, int) and size}

    def _lengths(self, streams: Mapping[str, int]) -> dict[str, int]:
        with self.client.pipeline(transaction=False) as pipeline:
            for stream in streams:
                pipeline.xlen(stream)
            replies = pipeline.execute(raise_on_error=False)
        return {stream: n if isinstance(n, int) else 0 for stream, n in zip(streams, replies, strict=True)}

    def _trim(self, limits: Mapping[str, tuple[str, bytes | int]]) -> int:
        """Trim each stream by its strategy and threshold. Returns the number of dropped entries."""
        dropped = 0
        for _ in range(_ROUNDS):
            with self.client.pipeline(transaction=False) as pipeline:
                for stream, (strategy, threshold) in limits.items():
                    pipeline.execute_command("XTRIM", stream, strategy, "~", threshold)
                replies = pipeline.execute(raise_on_error=False)  # a key may be of another type
            now = sum(reply for reply in replies if isinstance(reply, int))
            dropped += now
            if not now:
                break
        return dropped


def fair_share(sizes: list[int], total: int) -> int:
    """The limit of a single stream with which all together take at most `total`. The small ones stay as they are."""
    left = total
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            return share
        left -= size
    return max(sizes, default=0)
