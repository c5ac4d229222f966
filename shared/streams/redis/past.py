"""Records of a topic on the Redis log, read without a group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import redis

from shared.streams.event_log import LogUnavailable, Record
from shared.streams.redis.layout import (
    ForeignId,
    decode_entries,
    entry_id_of,
    first_offset_at,
    stream_key,
    timestamp_ms_of,
)
from shared.streams.redis.source import outages
from shared.streams.redis.stream_ends import StreamEnds, decode_ends

_AT_ONCE: Final = 1_000


class RedisPast:
    """As `Past`."""

    def __init__(
        self, connect: Callable[[], redis.Redis], prefix: str, topic: str, since_ms: int, end: Mapping[int, int]
    ) -> None:
        self._connect = connect
        self._end = end
        self._first_offset = first_offset_at(since_ms)
        self._streams = {partition: stream_key(prefix, topic, partition) for partition in end}
        with outages(), connect() as client:
            self._ends = {partition: _ends_of(client, stream) for partition, stream in self._streams.items()}

    @property
    def end_offsets(self) -> Mapping[int, int]:
        """As `Past.end_offsets`."""
        return {partition: ends.end_offset for partition, ends in self._ends.items()}

    @property
    def missing_until_ms(self) -> int:
        """As `Past.missing_until_ms`."""
        return max(
            (
                timestamp_ms_of(ends.begin_offset)
                for ends in self._ends.values()
                if ends.added > ends.length and ends.begin_offset > self._first_offset
            ),
            default=0,
        )

    def records(self) -> Iterator[Sequence[Record]]:
        """As `Past.records`."""
        with self._connect() as client:
            client.set_response_callback(
                "XRANGE", lambda reply, **_: reply
            )  # redis-py would make a dict of every entry
            for partition, stream in self._streams.items():
                yield from self._read(client, partition, stream)

    def _read(self, client: redis.Redis, partition: int, stream: str) -> Iterator[Sequence[Record]]:
        start, end = self._first_offset, self._end[partition]
        while start < end:
            with outages():
                reply: Any = client.execute_command(
                    "XRANGE", stream, entry_id_of(start), entry_id_of(end - 1), "COUNT", _AT_ONCE
                )
            try:
                records = decode_entries(partition, reply)
            except ForeignId:
                raise LogUnavailable(f"{stream} has an entry with an id that fits no offset") from None
            if not records:
                return
            yield records
            start = records[-1].offset + 1


def _ends_of(client: redis.Redis, stream: str) -> StreamEnds:
    client.set_response_callback("XINFO STREAM", lambda reply, **_: reply)
    try:
        return decode_ends(client.execute_command("XINFO STREAM", stream))
    except redis.ResponseError as error:
        if "no such key" in str(error):
            return StreamEnds()
        raise
