"""Reading a topic on the Redis log: every partition of it, as the one owner of its group."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from redis.client import Pipeline

from shared.streams.event_log import (
    Assignment,
    FromCommitted,
    FromOffset,
    FromTime,
    Listener,
    Position,
    Record,
    TopicSpec,
)
from shared.streams.redis.layout import (
    decode_entries,
    encode_spec,
    entry_id_before,
    first_offset_at,
    lease_key,
    offset_of,
    offsets_key,
    stream_key,
    timestamp_ms_of,
    topics_key,
)
from shared.streams.redis.lease import Lease

_LONGEST_BLOCK_SECONDS: Final = 2.0
"""One XREAD blocks no longer: well under the socket's timeout, and the lease wants renewing."""

_LOOK_SECONDS: Final = 1.0
"""How often the ends of the streams are looked at, for the lag."""

_CLAIM_SECONDS: Final = 0.1
"""How often a lease that another process holds is asked for."""


@dataclass(slots=True)
class _Progress:
    """How far one partition is read. Counts of entries since the stream was made; `read` may be an estimate."""

    next_offset: int
    read: int = 0
    added: int = 0
    end_offset: int = 0

    @property
    def lag(self) -> int:
        """Entries not read yet. An estimate may say that there are none, but never before the end is reached."""
        return max(self.added - self.read, 1 if self.next_offset < self.end_offset else 0)


@dataclass(frozen=True, slots=True)
class _Ends:
    """What XINFO STREAM tells; all zero when the stream does not exist yet."""

    begin_offset: int = 0
    end_offset: int = 0
    length: int = 0
    added: int = 0

    def read_before(self, offset: int) -> int:
        """How many entries were ever added before `offset`.

        Exact at both ends. In between Redis cannot tell without reading, so entries are taken as evenly spread in time.
        """
        if offset >= self.end_offset:
            return self.added
        trimmed = self.added - self.length
        if offset <= self.begin_offset:
            return trimmed
        begin_ms, end_ms = timestamp_ms_of(self.begin_offset), timestamp_ms_of(self.end_offset)
        passed = (timestamp_ms_of(offset) - begin_ms) / max(end_ms - begin_ms, 1)
        return trimmed + min(int(self.length * passed), self.length - 1)


class Reader:
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
        self._assigned: dict[int, _Progress] = {}
        self._first = 0  # the partition that is served first, in turn
        self._looked_at = 0.0  # time.monotonic()

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """As `Consumer.poll`."""
        deadline = time.monotonic() + timeout_seconds
        if not self._assigned and not self._claim(deadline):
            return []
        self._lease.renew_when_due()
        self._look_when_due()
        while True:
            remaining = deadline - time.monotonic()
            records = self._read(max_records, min(remaining, _LONGEST_BLOCK_SECONDS))
            if records or time.monotonic() >= deadline:
                return records
            self._lease.renew_when_due()

    def commit(self, next_offsets: Mapping[int, int], transaction: Pipeline) -> None:
        """Run `transaction`, commands queued after `hold`, together with the commit. Raises redis.WatchError."""
        if next_offsets:
            transaction.hset(self._offsets_key, mapping={str(key): offset for key, offset in next_offsets.items()})
        transaction.execute()

    def hold(self, transaction: Pipeline) -> None:
        """As `Lease.hold`."""
        self._lease.hold(transaction)

    def rewind(self) -> None:
        """Forget how far we read: the next poll asks the listener again where to start."""
        self._assigned.clear()

    def lag(self) -> dict[int, int]:
        """As `Consumer.lag`, up to a second old.

        It is what was ever added less what we read, counted on from where we started. It is exact when that was the
        begin or the end of the stream, and from the first time on that the end is reached; until then an estimate.
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
        positions = {}
        for partition, ends in enumerate(self._look()):
            position = self._listener.on_assigned(Assignment(partition, ends.begin_offset, ends.end_offset))
            offset = _start(position, committed.get(str(partition).encode()), ends)
            positions[partition] = _Progress(
                offset, read=ends.read_before(offset), added=ends.added, end_offset=ends.end_offset
            )
        self._assigned = positions
        return True

    def _read(self, max_records: int, block_seconds: float) -> list[Record]:
        # COUNT is by stream. Fewer records than streams may be asked for: the rest of the reply is read again.
        count = max(max_records // len(self._streams), 1)
        turn = [*range(self._first, len(self._streams)), *range(self._first)]
        self._first = turn[1] if len(turn) > 1 else 0
        block = ("BLOCK", max(int(block_seconds * 1000), 1)) if block_seconds > 0 else ()
        streams = [self._streams[partition] for partition in turn]
        after = [entry_id_before(self._assigned[partition].next_offset) for partition in turn]
        reply: Any = self._client.execute_command("XREAD", "COUNT", count, *block, "STREAMS", *streams, *after)
        records: list[Record] = []
        for stream, entries in reply.items() if isinstance(reply, dict) else reply or ():
            partition = self._partition_of_stream[stream]
            read = decode_entries(partition, entries[: max_records - len(records)])
            if read:
                records += read
                progress = self._assigned[partition]
                progress.next_offset = read[-1].offset + 1
                progress.read += len(read)
        return records

    def _look_when_due(self) -> None:
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        for partition, ends in enumerate(self._look()):
            progress = self._assigned[partition]
            made_anew = ends.added < progress.added  # the database was flushed
            progress.added, progress.end_offset = ends.added, ends.end_offset
            if progress.next_offset >= ends.end_offset or made_anew:
                progress.read = ends.read_before(progress.next_offset)  # exact at the end, whatever was estimated
            else:
                progress.read = max(progress.read, ends.added - ends.length)  # what was trimmed cannot be read

    def _look(self) -> Sequence[_Ends]:
        """Look at the ends of all streams, and put the topic's specification back if the database was flushed."""
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hsetnx(self._topics_key, self._spec.name, encode_spec(self._spec))
            for stream in self._streams:
                pipeline.execute_command("XINFO STREAM", stream)
            _, *replies = pipeline.execute(raise_on_error=False)
        self._looked_at = time.monotonic()
        return [_ends(reply) for reply in replies]


def _start(position: Position, committed: bytes | None, ends: _Ends) -> int:
    match position:
        case FromTime(timestamp_ms):
            return first_offset_at(timestamp_ms)
        case FromOffset(offset):
            wanted = offset
        case FromCommitted():
            wanted = int(committed) if committed is not None else 0
    # Ahead of the end: the stream was deleted and made anew since, so that nothing of it has been read.
    return wanted if ends.begin_offset <= wanted <= ends.end_offset else ends.begin_offset


def _ends(reply: Any) -> _Ends:
    if isinstance(reply, redis.ResponseError) and "no such key" in str(reply):
        return _Ends()
    if isinstance(reply, Exception):
        raise reply
    fields = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    end_offset = offset_of(fields[b"last-generated-id"]) + 1
    first = fields[b"first-entry"]
    return _Ends(
        begin_offset=offset_of(first[0]) if first else end_offset,
        end_offset=end_offset,
        length=fields[b"length"],
        added=fields[b"entries-added"],
    )
