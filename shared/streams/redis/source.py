"""A topic on the Redis log read for a group, and the transaction around a commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import redis

from shared.runtime.redis_replies import is_wrong_type
from shared.streams.event_log import LogUnavailable, Record, ToAppend
from shared.streams.redis.foreign_ids import repair
from shared.streams.redis.sole_member import SoleMember
from shared.streams.redis.topics import Topics
from shared.streams.redis.trimming import Trimmer

_REFUSALS: Final = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)
"""Every error of Redis is waited out, even a key of the wrong type: the message says what to fix."""


class Source:
    """The member is created at its first use."""

    def __init__(self, topics: Topics, make_member: Callable[[], SoleMember]) -> None:
        self._topics = topics
        self._make_member = make_member
        self._member: SoleMember | None = None
        self._suspects: set[str] = set()  # streams that refused an entry, to repair before the next send

    @property
    def member(self) -> SoleMember:
        """The group's member."""
        if self._member is None:
            self._member = self._make_member()
        return self._member

    def poll(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """As `SoleMember.poll`."""
        with outages(self._topics.trimmer, self._key_types):
            self._topics.trimmer.trim_when_due()  # first: a full Redis refuses all that writes
            return self.member.poll(max_records, timeout_seconds)

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """Append and commit in one transaction. It fails when this process does not hold the lease."""
        with outages(self._topics.trimmer, self._key_types):
            self._send(records, next_offsets)

    def _key_types(self) -> Mapping[str, str]:
        return self._topics.key_types() | (self._member.key_types() if self._member is not None else {})

    def _send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        # Redis does the rest of a transaction when one of its commands fails. Then this undoes the rest.
        for stream in sorted(self._suspects):
            repair(self._topics.client, stream)
            self._suspects.discard(stream)
        with self._topics.client.pipeline() as transaction:
            while True:
                try:
                    self.member.hold(transaction)
                    held = len(transaction)
                    streams = self._topics.append(transaction, records)
                    self.member.commit(next_offsets, transaction)
                    replies = transaction.execute(raise_on_error=False)
                except redis.WatchError:
                    continue  # the lease expired just now: check again who holds it
                break
        failure = next((reply for reply in replies if isinstance(reply, Exception)), None)
        appended = list(zip(streams, replies[held:], strict=False))
        if failure is not None:
            self._undo(appended, next_offsets)
            raise failure
        self.member.committed(next_offsets)
        self._topics.repair_foreign(appended)

    def _undo(self, appended: Sequence[tuple[str, Any]], next_offsets: Mapping[int, int]) -> None:
        with self._topics.client.pipeline() as transaction:
            for stream, reply in appended:
                if isinstance(reply, Exception):
                    self._suspects.add(stream)
                else:
                    transaction.xdel(stream, reply)
            self.member.uncommit(next_offsets, transaction)
            transaction.execute()

    def rewind(self) -> None:
        """As `SoleMember.rewind`."""
        if self._member is not None:
            self._member.rewind()

    def lag(self) -> dict[int, int]:
        """As `SoleMember.lag`."""
        return {} if self._member is None else self._member.lag()

    def close(self) -> None:
        """As `SoleMember.close`, and close the connection."""
        # Without Redis the lease expires by itself.
        with suppress(LogUnavailable), outages():
            if self._member is not None:
                self._member.close()
        self._topics.client.close()


@contextmanager
def outages(trimmer: Trimmer | None = None, key_types: Callable[[], Mapping[str, str]] = dict) -> Iterator[None]:
    """Raise LogUnavailable when Redis cannot be reached or returns an error. Trims the log of a full one.

    `key_types` are those of the log's keys: an error about the type of one names it.
    """
    try:
        yield
    except _REFUSALS as error:
        if trimmer is not None and isinstance(error, redis.OutOfMemoryError):
            with suppress(*_REFUSALS):
                trimmer.trim()
        named = trimmer is not None and is_wrong_type(error) and _wrong_key(trimmer.client, key_types())
        raise LogUnavailable(named or str(error)) from error


def _wrong_key(client: redis.Redis, key_types: Mapping[str, str]) -> str | None:
    """What is wrong with the first key that is of another type."""
    for key, expected in key_types.items():
        with suppress(*_REFUSALS):
            found: Any = client.type(key)
            if found not in (expected.encode(), b"none"):
                return (
                    f"key {key} in Redis holds the wrong kind of value, a {found.decode()}, expected a {expected}; "
                    "rename or delete it, or set another REDIS_PREFIX"
                )
    return None
