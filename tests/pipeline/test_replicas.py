"""Several aggregate replicas on a real Kafka: the numbers of a single one, even when replicas join, leave or die."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.aggregate.publishing.shares import unpacked
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.raw import encode_raw
from shared.events.schema import EnrichedEvent, RawEvent
from shared.rollups.model import Meta
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import (
    Assignment,
    EventLog,
    FromTime,
    LogUnavailable,
    NewRecord,
    Position,
    Record,
    TopicSpec,
)
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.publish_check import assert_published
from tests.support.polling import eventually
from tests.support.samples.enriched import events

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Site:
    """Topics and a Redis for one test, with aggregate replicas that each have their own disk."""

    def __init__(self, kafka_broker: str, redis_url: str, folder: Path, partitions: int = 4) -> None:
        suffix = uuid.uuid4().hex[:8]
        self.topic = f"enriched-{suffix}"
        self.raw_topic = f"clicks-{suffix}"
        self._folder = folder
        self._partitions = partitions
        self._produced = 0
        self._environment = {
            "REDIS_URL": redis_url,
            "KAFKA_BROKER": kafka_broker,
            "RAW_TOPIC": self.raw_topic,
            "ENRICHED_TOPIC": self.topic,
            "PARTITIONS": str(partitions),
            "AGGREGATE_GROUP": self.topic,
            "LOG_FORMAT": "json",
        }
        self.client: Any = connect(redis_url)
        self.log: EventLog = open_log(
            ServiceSettings(redis_url=redis_url, kafka_broker=kafka_broker, enriched_topic=self.topic), "test"
        )
        self.log.ensure_topics(
            [
                TopicSpec(topic, partitions, 24 * 3_600_000)
                for topic in (self.topic, f"{self.topic}-dlq", self.raw_topic)
            ]
        )

    @contextmanager
    def replica(self, disk: str, service: str = "aggregate", **options: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = os.environ | self._environment | {"STATE_DIR": str(self._folder / disk)} | options
        process = subprocess.Popen([sys.executable, "-m", "services.cli", service], env=environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def produce(self, made: list[EnrichedEvent]) -> None:
        self._produced += len(made)
        with self.log.producer() as producer:
            producer.send([NewRecord(self.topic, event.userId.encode(), encode_enriched(event)) for event in made])

    def produce_raw(self, clicks: list[RawEvent]) -> None:
        self._produced += len(clicks)
        with self.log.producer() as producer:
            producer.send([NewRecord(self.raw_topic, click.userId.encode(), encode_raw(click)) for click in clicks])

    def arrived(self, count: int) -> list[Arrived]:
        """The current log."""
        found: list[Arrived] = []
        with self.log.consumer(self.topic, f"test-{uuid.uuid4().hex}", _Earliest()) as consumer:
            while len(found) < count:
                records: Sequence[Record] = []
                with suppress(LogUnavailable):  # transient: a busy broker answers late
                    records = consumer.poll(10_000, 1.0)
                for record in records:
                    event = decode_enriched(record.value)
                    assert isinstance(event, EnrichedEvent)
                    found.append(Arrived(event, record.timestamp_ms, record.partition, record.offset))
        return sorted(found, key=lambda arrived: (arrived.partition, arrived.offset))

    def meta(self) -> Meta | None:
        snapshot = read(self.client, "all", "")
        return snapshot.meta if snapshot else None

    def counted(self, count: int) -> None:
        """Wait until `count` events are counted."""
        eventually(lambda: (meta := self.meta()) is not None and meta.counted >= count, f"{count} events counted", 90)

    def caught_up(self) -> None:
        """Wait until everything produced so far is published, for all partitions."""
        # New records show as lag only after a replica's next fetch, which is late on a busy machine.
        since_ms = time.time() * 1000 + 2500

        def whole() -> bool:
            meta = self.meta()
            return (
                meta is not None
                and meta.as_of_ms > since_ms
                and meta.read >= self._produced
                and (meta.partitions, meta.lag, meta.coverage_1h_s) == (self._partitions, 0, 3600)
            )

        eventually(whole, "all partitions published and caught up", 90)


class _Earliest:
    def on_assigned(self, assignment: Assignment) -> Position:  # noqa: ARG002 - part of the interface
        return FromTime(0)

    def on_revoked(self, partition: int) -> None:
        """Do nothing."""


@pytest.fixture
def site(kafka_broker: str, redis_url: str, tmp_path: Path) -> Site:
    return Site(kafka_broker, redis_url, tmp_path)


def _replicas_at_work(site: Site) -> int:
    """The number of replicas that report partitions to one another."""
    newest = max(site.client.keys("aggregate:reports:*"), default=b"")
    shares = [msgspec.msgpack.decode(unpacked(share)) for share in site.client.hvals(newest)]
    return sum(bool(share) for share in shares)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("disks", [("a", "b", "c"), ("shared", "shared", "shared")], ids=["rebuilt", "taken over"])
def test_replicas_that_join_and_leave_give_the_numbers_of_one(site: Site, disks: tuple[str, str, str]) -> None:
    """A new owner rebuilds a partition's state from the log, or takes it over on a shared disk."""
    made = events(11, 4000, int(time.time() * 1000))
    site.produce(made[:1000])
    with site.replica(disks[0]):
        site.caught_up()
        site.produce(made[1000:2000])
        with site.replica(disks[1]) as leaving, site.replica(disks[2]):
            eventually(lambda: _replicas_at_work(site) == 3, "three replicas at work", 60)
            site.produce(made[2000:3000])
            site.caught_up()
            assert_published(site.client, site.arrived(3000))
            leaving.send_signal(signal.SIGTERM)
            assert leaving.wait(timeout=15) == 0
            site.produce(made[3000:])
            site.caught_up()
            assert_published(site.client, site.arrived(4000))


@pytest.mark.timeout(300)
def test_two_enrich_and_three_aggregate_replicas_neither_lose_nor_double_events(
    kafka_broker: str, redis_url: str, tmp_path: Path
) -> None:
    """One of each is killed halfway and restarts; the others take over its partitions."""
    site = Site(kafka_broker, redis_url, tmp_path, partitions=12)
    clicks = raw_clicks(13, 6000, int(time.time() * 1000))
    with site.replica("a"), site.replica("b"), site.replica("-", "enrich"):
        with site.replica("c") as dying, site.replica("-", "enrich") as dying_enrich:
            eventually(lambda: _replicas_at_work(site) == 3, "three replicas at work", 90)
            site.produce_raw(clicks[:3000])
            site.counted(1)  # halfway
            for process in (dying, dying_enrich):
                process.send_signal(signal.SIGKILL)
            site.produce_raw(clicks[3000:4000])
        with site.replica("c"), site.replica("-", "enrich"):
            site.produce_raw(clicks[4000:])
            arrived = site.arrived(6000)
            assert Counter(str(one.event.eventId) for one in arrived) == Counter(str(click.eventId) for click in clicks)
            assert len({one.partition for one in arrived}) == 12
            site.counted(6000)
            site.caught_up()
            assert_published(site.client, arrived)


def raw_clicks(seed: int, count: int, now_ms: int) -> list[RawEvent]:
    """Clicks of the last hour, except the current minute, each with its own id."""
    chance = random.Random(seed)
    return [
        RawEvent(
            timestamp=now_ms - now_ms % 60_000 - chance.randrange(3_500_000) - 1000,
            userId=f"user {chance.randrange(500)}",
            productId=chance.choice([None, "p1", "p2", "p3"]),
            userAgent=chance.choice(["Mozilla/5.0 (Windows NT 10.0) Firefox/140.0", "curl/8.0"]),
            url=f"/page/{chance.randrange(40)}",
            eventId=f"e{number}",
        )
        for number in range(count)
    ]


@pytest.mark.timeout(300)
def test_the_publishers_death_pauses_publishing_for_three_seconds_and_changes_no_number(site: Site) -> None:
    chance = random.Random(12)
    made = events(12, 2000, int(time.time() * 1000))
    site.produce(made[:1000])
    with site.replica("a") as first:
        site.caught_up()
        publisher = site.meta()
        with site.replica("b"):
            eventually(lambda: _replicas_at_work(site) == 2, "two replicas at work", 60)
            site.caught_up()
            after = site.meta()
            assert publisher is not None
            assert after is not None
            assert after.publisher == publisher.publisher  # its holder keeps the lease
            time.sleep(chance.random())
            last_ms = _as_of_ms(site)
            first.send_signal(signal.SIGKILL)
            gaps = [0]
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                as_of_ms = _as_of_ms(site)
                if as_of_ms != last_ms:
                    gaps.append(as_of_ms - last_ms)
                    last_ms = as_of_ms
                time.sleep(0.05)
            assert len(gaps) > 5
            assert max(gaps) <= 4000  # three seconds without a publish, plus the regular second between publishes
            site.produce(made[1000:])
            site.caught_up()
            assert_published(site.client, site.arrived(2000))


def _as_of_ms(site: Site) -> int:
    return int(site.client.hget("rollup:meta", "as_of_ms"))
