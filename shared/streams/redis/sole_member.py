"""Reading a topic on the Redis log: all its partitions, as the only member of a group."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import redis
from redis.client import Pipeline

from shared.streams.event_log import Assignment, Listener, LogUnavailable, Record, TopicSpec
from shared.streams.parts import READ_BYTES
from shared.streams.redis.foreign_ids import AHEAD_MS, repair
from shared.streams.redis.layout import (
    Entry,
    ForeignId,
    decode_entries,
    encode_spec,
    entry_id_before,
    is_foreign,
    lease_key,
    offsets_key,
    stream_key,
    timestamp_ms_of,
    topics_key,
)
from shared.streams.redis.lease import Lease
from shared.streams.redis.stream_ends import Progress, StreamEnds, decode_ends, decode_offset, start_offset

_MAX_BLOCK_SECONDS: Final = 2.0
"""The longest XREAD: well under the socket's timeout, and the lease needs renewing."""

_LAG_SECONDS: Final = 1.0
"""How often to look up the ends of the streams, for the lag."""

_MOST_AT_ONCE: Final = 1_000
"""Records that are read before their size is looked at."""

_FIRST_POLL: Final = 64
"""Records of the first poll; a further one returns up to twice as many as any before. So a process that was killed
because large records took its memory passes them when it starts again."""

_CLAIM_SECONDS: Final = 0.1
"""How often to ask for a lease that another process holds."""


class SoleMember:
    """Reads all partitions of a topic for a group, behind a lease. Not thread-safe. Redis's exceptions pass through."""

    def __init__(
        self, client: redis.Redis, prefix: str, spec: TopicSpec, group: str, lease_seconds: float, listener: Listener
    ) -> None:
        self._client = client
        # redis-py would make a dict of every entry.
        self._client.set_response_callback("XREAD", lambda reply, **_: reply)
        self._client.set_response_callback("XINFO STREAM", lambda reply, **_: reply)
        self._spec = spec
        self._topics_key = topics_key(prefix)
        self._streams = [stream_key(prefix, spec.name, partition) for partition in range(spec.partitions)]
        self._partition_of_stream = {stream.encode(): partition for partition, stream in enumerate(self._streams)}
        self._offsets_key = offsets_key(prefix, spec.name, group)
        self._lease = Lease(client, lease_key(prefix, spec.name, group), self._offsets_key, lease_seconds)
        self._listener = listener
        self._assigned: dict[int, Progress] = {}
        self._committed: dict[int, int] = {}
        self._first = 0  # the partition that is read first, in turn
        self._ends_at = 0.0  # time.monotonic() of the last look at the ends
        self._latest_ms = 0  # then; ids of a later time are foreign
        self._at_once = _MOST_AT_ONCE
        self._most = _FIRST_POLL  # records of a poll

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """As `Consumer.poll`."""
        deadline = time.monotonic() + timeout_seconds
        if not self._assigned and not self._claim(deadline):
            return []
        self._lease.renew_when_due()
        self._update_when_due()
        while True:
            remaining = deadline - time.monotonic()
            records = self._read(max_records, min(remaining, _MAX_BLOCK_SECONDS))
            if records or time.monotonic() >= deadline:
                return records
            self._lease.renew_when_due()

    def commit(self, next_offsets: Mapping[int, int], transaction: Pipeline) -> None:
        """Queue the commit on `transaction`."""
        if next_offsets:
            transaction.hset(self._offsets_key, mapping={str(key): offset for key, offset in next_offsets.items()})

    def uncommit(self, next_offsets: Mapping[int, int], transaction: Pipeline) -> None:
        """Queue a commit of what was committed before these offsets, as far as this process knows."""
        for partition in next_offsets:
            before = self._committed.get(partition)
            if before is None:
                transaction.hdel(self._offsets_key, str(partition))
            else:
                transaction.hset(self._offsets_key, str(partition), before)

    def committed(self, next_offsets: Mapping[int, int]) -> None:
        """The commit took effect, under the lease."""
        self._lease.held()
        self._committed.update(next_offsets)

    def hold(self, transaction: Pipeline) -> None:
        """As `Lease.hold`."""
        self._lease.hold(transaction)

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start."""
        self._assigned.clear()

    def key_types(self) -> dict[str, str]:
        """The type of each key of the group."""
        return {self._offsets_key: "hash", self._lease.key: "string"}

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`, up to a second old.

        The lag is the count of all entries added minus those read, counted from the start offset. It is exact if that
        was an end of the stream, and once the end has been reached; until then it is an estimate.
        """
        return {partition: progress.lag for partition, progress in self._assigned.items()}

    def close(self) -> None:
        """Revoke every partition and free the lease."""
        for partition in sorted(self._assigned):
            self._listener.on_revoked(partition)
        self._assigned.clear()
        self._lease.release()

    def _claim(self, deadline: float) -> bool:
        while not self._lease.acquire():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            time.sleep(min(remaining, _CLAIM_SECONDS))
        committed: dict[Any, Any] = self._client.hgetall(self._offsets_key)
        progress = {}
        started = {partition: decode_offset(committed.get(str(partition).encode())) for partition in self._partitions()}
        for partition, ends in enumerate(self._ends(started)):
            assignment = Assignment(partition, ends.begin_offset, ends.end_offset, counts_records=False)
            position = self._listener.on_assigned(assignment)
            offset = start_offset(position, committed.get(str(partition).encode()), ends)
            progress[partition] = Progress.starting_at(offset, ends)
        self._assigned = progress
        self._committed = {partition: offset for partition, offset in started.items() if offset is not None}
        return True

    def _read(self, max_records: int, block_seconds: float) -> list[Record]:
        """Read until there is nothing more at the moment, or enough records or bytes."""
        max_records = min(max_records, self._most)
        records = self._read_once(min(max_records, self._at_once), block_seconds)
        size = sum([len(record.value) for record in records])
        while records and len(records) < max_records and size < READ_BYTES:
            try:
                more = self._read_once(min(max_records - len(records), self._at_once), 0)
            except (redis.RedisError, LogUnavailable):
                break  # those before are read and must be returned; the next poll meets the failure
            if not more:
                break
            records += more
            size += sum([len(record.value) for record in more])
        if records:
            self._most = max(self._most, 2 * len(records))
            self._at_once = min(max(READ_BYTES // (size // len(records) + 1), 1), _MOST_AT_ONCE)
        return records

    def _read_once(self, max_records: int, block_seconds: float) -> list[Record]:
        # COUNT is per stream. With fewer records asked for than streams, the rest of the reply is read again.
        count = max(max_records // len(self._streams), 1)
        turn = [*range(self._first, len(self._streams)), *range(self._first)]
        self._first = turn[1] if len(turn) > 1 else 0
        block = ("BLOCK", max(int(block_seconds * 1000), 1)) if block_seconds > 0 else ()
        streams = [self._streams[partition] for partition in turn]
        after = [entry_id_before(self._assigned[partition].next_offset) for partition in turn]
        reply: Any = self._client.execute_command("XREAD", "COUNT", count, *block, "STREAMS", *streams, *after)
        records: list[Record] = []
        ends: dict[int, tuple[int, int]] = {}  # partition → next offset, and how many records
        for stream, entries in reply.items() if isinstance(reply, dict) else reply or ():
            partition = self._partition_of_stream[stream]
            read = self._decode(partition, entries[: max_records - len(records)])
            if read:
                records += read
                ends[partition] = read[-1].offset + 1, len(read)
        # Only now: decoding may have to repair a stream, and fail.
        for partition, (next_offset, count) in ends.items():
            self._assigned[partition].advance(next_offset, count)
        return records

    def _decode(self, partition: int, entries: Sequence[Entry]) -> list[Record]:
        """The records of entries; none of them while one has a foreign id, which gets another one first."""
        if not entries:
            return []
        latest_ms = self._latest_ms_of(self._assigned[partition].next_offset)
        with suppress(ForeignId):
            read = decode_entries(partition, entries)
            if read[-1].timestamp_ms <= latest_ms:
                return read
        ids = [entry_id for entry_id, _ in entries]
        repair(self._client, self._streams[partition], ids)
        return []

    def _latest_ms_of(self, next_offset: int) -> int:
        """The latest append time that is not foreign. Whatever was read before is not: a clock was set back."""
        return max(self._latest_ms, timestamp_ms_of(next_offset))

    def _update_when_due(self) -> None:
        if time.monotonic() - self._ends_at >= _LAG_SECONDS:
            started = {partition: progress.next_offset for partition, progress in self._assigned.items()}
            for partition, ends in enumerate(self._ends(started)):
                self._assigned[partition].update(ends)

    def _partitions(self) -> range:
        return range(len(self._streams))

    def _ends(self, started: Mapping[int, int | None]) -> Sequence[StreamEnds]:
        """Look up the ends of all streams, and restore the topic's specification if the database was flushed.

        Streams that end with a foreign id are repaired first. `started` is how far each partition is read.
        """
        found = self._look_up_ends()
        foreign = [
            stream
            for partition, stream in enumerate(self._streams)
            if is_foreign(found[partition].last_id, self._latest_ms_of(started.get(partition) or 0))
        ]
        for stream in foreign:
            repair(self._client, stream)
        return self._look_up_ends() if foreign else found

    def _look_up_ends(self) -> Sequence[StreamEnds]:
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hsetnx(self._topics_key, self._spec.name, encode_spec(self._spec))
            pipeline.time()
            for stream in self._streams:
                pipeline.execute_command("XINFO STREAM", stream)
            _, now, *replies = pipeline.execute(raise_on_error=False)
        if isinstance(now, Exception):
            raise now
        self._ends_at = time.monotonic()
        self._latest_ms = now[0] * 1000 + AHEAD_MS
        return [_decode(reply) for reply in replies]


def _decode(reply: Any) -> StreamEnds:
    if isinstance(reply, redis.ResponseError) and "no such key" in str(reply):
        return StreamEnds()
    if isinstance(reply, Exception):
        raise reply
    return decode_ends(reply)
