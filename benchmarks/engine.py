"""Drives aggregate's partitions directly: the one place where the benchmarks touch the internals of that service.

Time is an argument, so an hour of clicks is folded as fast as the machine can, and publish instants follow one another
without waiting.
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
from services.aggregate.rollups.merging import NameIndexes, merge, name_indexes
from services.aggregate.rollups.reports import PartitionReport
from services.aggregate.service import AggregateService
from services.aggregate.settings import AggregateSettings
from services.aggregate.state.opening import open_partition, resume
from services.aggregate.state.partition import Partition
from services.aggregate.state.store import SavedState
from shared.runtime.redis_client import connect
from shared.status.health import Health
from shared.streams.event_log import Assignment, Producer, Record

_END_OFFSET: Final = 1 << 62  # no topic is read, so the state is never ahead of it


class Engine:
    """All partitions in one process, like a single replica of the service."""

    def __init__(self, directory: Path | None, now_s: int) -> None:
        """Open the state in the directory, or start empty. Without a directory nothing is stored."""
        self.now_s = now_s
        self._partitions = [
            _opened(directory, Assignment(number, 0, _END_OFFSET), now_s) for number in range(PARTITIONS)
        ]

    def fold(self, records: Sequence[Record]) -> None:
        """Receive, store and fold the records of one poll, like the service."""
        for number, group in groupby(sorted(records, key=attrgetter("partition")), key=attrgetter("partition")):
            self._partitions[number].receive(list(group))
            self._partitions[number].build_batch()
            self._partitions[number].fold()

    def advance(self, now_s: int) -> None:
        """Advance the windows of all partitions to `now_s`."""
        self.now_s = now_s
        for partition in self._partitions:
            partition.advance(now_s)

    def publication(self) -> Publication:
        """Read the figures and the completed minutes from the windows, like the service's loop."""
        reports = {
            partition.number: PartitionReport(partition.snapshot(), 0, 0.0, 0, self.now_s * 1000)
            for partition in self._partitions
        }
        completed = [partition.completed_minutes() for partition in self._partitions]
        return Publication(self.now_s, reports, completed, dict.fromkeys(reports, self.now_s))

    def publish(self, publisher: RedisPublisher) -> None:
        """Publish like the service and its sender: the whole cost of one publish."""
        publisher.publish(self.publication())

    def checkpoint_one_due(self) -> float | None:
        """Checkpoint one partition if due, like the service after each publish; return the seconds it took."""
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
    """The publisher of a single replica."""
    return RedisPublisher(client, AggregateSettings(), "bench")


@contextmanager
def running_service(settings: AggregateSettings, producer: Producer, stop: Event) -> Iterator[AggregateService]:
    """The service with its sender, wired like `services.aggregate.__main__`; the caller runs it."""
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
    """Stores nothing, to measure only the windows."""

    def begin(
        self, loaded_from_ms: int, topic_id: str = "", erasures: bytes | None = None, digest_key: bytes | None = None
    ) -> None:
        pass

    def erasures(self) -> bytes:
        return b""

    def read(self) -> SavedState | None:
        return None

    def append(self, block: bytes, next_offset: int) -> None:
        pass

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        pass

    def close(self) -> None:
        pass


def empty_partition(now_s: int) -> Partition:
    """A partition that stores nothing."""
    return resume(_NoStore(), Assignment(0, 0, _END_OFFSET), now_s)


def _opened(directory: Path | None, assignment: Assignment, now_s: int) -> Partition:
    return resume(_NoStore(), assignment, now_s) if directory is None else open_partition(directory, assignment, now_s)


def known_pages(partition: Partition) -> int:
    """The distinct pages of the last hour."""
    return len(partition.snapshot().popularity_1h["page"].names)


def merged(partitions: Sequence[Partition]) -> NameIndexes:
    """What the publisher remembers of the names of partitions."""
    indexes = name_indexes()
    merge([partition.snapshot() for partition in partitions], indexes)
    return indexes
