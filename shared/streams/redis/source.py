"""A topic on the Redis log read for a group, and the transaction around a commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import redis

from shared.streams.event_log import LogUnavailable, ToAppend
from shared.streams.redis.sole_member import SoleMember
from shared.streams.redis.topics import Topics

_REFUSALS: Final = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)
"""Every error of Redis is waited out, even a key of the wrong type: the message says what to fix."""


class Source:
    """The member is created at its first use."""

    def __init__(self, topics: Topics, make_member: Callable[[], SoleMember]) -> None:
        self._topics = topics
        self._make_member = make_member
        self._member: SoleMember | None = None

    @property
    def member(self) -> SoleMember:
        """The group's member."""
        if self._member is None:
            self._member = self._make_member()
        return self._member

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None:
        """Append and commit in one transaction. It fails when this process does not hold the lease."""
        with self._topics.client.pipeline() as transaction:
            while True:
                try:
                    self.member.hold(transaction)
                    self._topics.append(transaction, records)
                    self.member.commit(next_offsets, transaction)
                except redis.WatchError:
                    continue  # the lease expired just now: check again who holds it
                return

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
def outages() -> Iterator[None]:
    """Raise LogUnavailable when Redis cannot be reached or returns an error."""
    try:
        yield
    except _REFUSALS as error:
        raise LogUnavailable(str(error)) from error
