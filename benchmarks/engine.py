"""The aggregate's partitions driven by hand: the one place where the benchmarks touch the inside of that service.

The time is an argument, so that an hour of clicks is folded as fast as the machine can, and a publish instant follows
the one before it at once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Final

import redis

from benchmarks.clicks import PARTITIONS
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication, Sender
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.partition import Partition, open_partition, resume
from services.aggregate.state.store import SavedState
from shared.runtime.redis_client import connect
from shared.status.health import Health
from shared.streams.event_log import Assignment, Producer, Record

_END_OFFSET: Final = 1 << 62  # no topic is read: the state is never ahead of it


class Engine:
    """All partitions in one process, as one replica of the service has them."""

    def __init__(self, directory: Path | None, now_s: int) -> None:
        """Open what is in the directory, or begin with nothing; without a directory nothing is stored."""
        self.now_s = now_s
        self._partitions = [
            _opened(directory, Assignment(number, 0, _END_OFFSET), now_s) for number in range(PARTITIONS)
        ]

    def fold(self, records: Sequence[Record]) -> None:
        """Take in, store and fold one poll's records, as the service does."""
        for number, group in groupby(sorted(records, key=attrgetter("partition")), key=attrgetter("partition")):
            self._partitions[number].receive(list(group))
            self._partitions[number].sort_out()
            self._partitions[number].fold()

    def advance(self, now_s: int) -> None:
        """Move the windows of all partitions to end at `now_s`."""
        self.now_s = now_s
        for partition in self._partitions:
            partition.advance(now_s)

    def publication(self) -> Publication:
        """Read the figures and the closed minutes off the windows, as the service's loop does."""
        reports = {
            partition.number: PartitionReport(partition.roll_up(), 0, 0.0, 0, self.now_s * 1000)
            for partition in self._partitions
        }
        return Publication(self.now_s, reports, [partition.closed_minutes() for partition in self._partitions])

    def publish(self, publisher: RedisPublisher) -> None:
        """Publish as the service and its sender do: all of what a second's publish costs."""
        publisher.publish(self.publication())

    def checkpoint_one_due(self) -> float | None:
        """Checkpoint one partition that is due, as the service does after each publish; how many seconds it took."""
        due = [partition for partition in self._partitions if partition.is_checkpoint_due()]
        if not due:
            return None
        started = time.perf_counter()
        due[0].checkpoint()
        return time.perf_counter() - started

    def close(self) -> None:
        """Close all partitions."""
        for partition in self._partitions:
            partition.close()


def publisher(client: redis.Redis) -> RedisPublisher:
    """The publisher of a replica that is alone."""
    return RedisPublisher(client, AggregateSettings(), "bench")


@contextmanager
def running_service(settings: AggregateSettings, producer: Producer, stop: Event) -> Iterator[AggregateService]:
    """The service with its sender, put together as `services.aggregate.__main__` does; the caller runs it."""
    health = Health("bench")
    with connect(settings.redis_url) as client, Sender(RedisPublisher(client, settings, "bench"), health) as sender:
        yield AggregateService(
            settings,
            producer=producer,
            offer=sender.offer,
            health=health,
            clock=time.time,
            stop=stop,
        )


class _NoStore:
    """Stores nothing: what is measured with it is the windows alone."""

    def begin(self, loaded_from_ms: int, topic_id: str = "") -> None:
        pass

    def read(self) -> SavedState | None:
        return None

    def append(self, block: bytes, next_offset: int) -> None:
        pass

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        pass

    def close(self) -> None:
        pass


def _opened(directory: Path | None, assignment: Assignment, now_s: int) -> Partition:
    return resume(_NoStore(), assignment, now_s) if directory is None else open_partition(directory, assignment, now_s)
