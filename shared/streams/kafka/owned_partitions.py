"""Which partitions a group member owns: pending ones and those it reads. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Started(NamedTuple):
    """Where reading a partition started, where its end was then, and the id of its topic."""

    offset: int
    end_offset: int
    topic_id: str


class OwnedPartitions:
    """The partitions of one topic. A partition is pending until its start offset is known.

    It is open from the listener's answer to its assignment until it is revoked, and kept while it is open only because
    no other member is known to own it: the session of this member is over.
    """

    def __init__(self) -> None:
        self._pending: set[int] = set()
        self._reading: dict[int, Started] = {}
        self._open: set[int] = set()
        self._has_revoked = False  # since the poll began

    @property
    def pending(self) -> list[int]:
        """Partitions that are assigned and not started."""
        return sorted(self._pending)

    @property
    def reading(self) -> Mapping[int, Started]:
        """Partitions that are read, with where that started."""
        return self._reading

    @property
    def kept(self) -> set[int]:
        """Partitions that are open, and neither assigned nor revoked."""
        return self._open - self._pending - self._reading.keys()

    @property
    def any(self) -> set[int]:
        """Partitions in any of these states."""
        return self._open | self._pending | self._reading.keys()

    def begin_poll(self) -> None:
        """Forget what the previous poll lost."""
        self._has_revoked = False

    def assign(self, partitions: Iterable[int]) -> None:
        """Take partitions over; they are pending."""
        self._pending.update(partitions)

    def open(self, partition: int) -> None:
        """The listener has taken a pending partition over."""
        self._open.add(partition)

    def start(self, partition: int, started: Started) -> None:
        """Read a pending partition."""
        self._pending.discard(partition)
        self._reading[partition] = started

    def keep(self, partitions: Iterable[int]) -> None:
        """Stop reading partitions; those that are open stay open."""
        gone = set(partitions)
        self._has_revoked = True
        self._pending -= gone
        for partition in gone & self._reading.keys():
            del self._reading[partition]

    def revoke(self, partitions: Iterable[int]) -> list[int]:
        """Give partitions up. Returns those that were open."""
        gone = set(partitions)
        self.keep(gone)
        closing = sorted(gone & self._open)
        self._open -= gone
        return closing

    def rewind(self) -> None:
        """Make every partition that is read pending again, without giving it up."""
        self._pending.update(self._reading)
        self._reading.clear()

    def is_settled(self) -> bool:
        """Whether every record of this poll is wanted: nothing was revoked during it and nothing is pending."""
        return not self._has_revoked and not self._pending

    def wants(self, partition: int | None) -> bool:
        """Whether to return a record of the partition: one fetched before a rebalance in this poll is not wanted."""
        return partition in self._reading

    def is_outdated(self, topic_id: str) -> bool:
        """Whether a partition is read of a topic with another id."""
        return any(started.topic_id != topic_id for started in self._reading.values())
