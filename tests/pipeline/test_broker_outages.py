"""Aggregate through outages of the broker and of its topic: it never stops publishing, and is right again soon."""

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.model import Meta
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable, NewRecord, Producer
from tests.pipeline.test_aggregate_service import running
from tests.support.oracle.publish_check import caught_up
from tests.support.polling import eventually
from tests.support.servers.event_logs import create_when_gone, delete
from tests.support.servers.kafka.broker import Kafka

SESSION_SECONDS = 6
pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.timeout(300)]


def send(producer: Producer, topic: str, count: int) -> None:
    """Append clicks, and wait for the broker as long as it takes."""
    event = EnrichedEvent(
        timestamp=time.time_ns() // 1_000_000, userId="u", ip="203.0.113.1", country="Kenya", deviceType="Desktop"
    )

    def is_sent() -> bool:
        try:
            producer.send([NewRecord(topic, b"u", encode_enriched(event))] * count)
        except LogUnavailable:
            return False
        return True

    eventually(is_sent, "the broker takes clicks")


def watched(client: Any, seconds: float, check: Callable[[Meta], None]) -> Meta:
    """The last meta of some seconds, each of which was checked. The rollup is at most three seconds old."""
    until = time.monotonic() + seconds
    while True:
        snapshot = read(client, "all", "")
        assert snapshot is not None
        assert time.time() - snapshot.meta.as_of_ms / 1000 < 3, "it stopped publishing"
        check(snapshot.meta)
        if time.monotonic() > until:
            return snapshot.meta
        time.sleep(0.2)


def test_an_outage_longer_than_the_session_moves_no_partition_and_stops_no_publishing(
    own_kafka: Kafka, redis_url: str, tmp_path: Path
) -> None:
    topic = f"enriched-{uuid.uuid4().hex[:8]}"
    log = open_log(ServiceSettings(kafka_broker=own_kafka.address), "test")
    options = {
        "KAFKA_BROKER": own_kafka.address,
        "KAFKA_SESSION_SECONDS": str(SESSION_SECONDS),
        "ENRICHED_TOPIC": topic,
        "PARTITIONS": "2",
    }

    def is_kept(meta: Meta) -> None:
        assert meta.partitions == 2

    with connect(redis_url) as client, log.producer() as producer, running(redis_url, tmp_path, **options):
        eventually(lambda: read(client, "all", ""), "a rollup")
        send(producer, topic, 5)
        covered_s = caught_up(client, 5).coverage_1h_s

        os.kill(own_kafka.process_id, signal.SIGSTOP)
        try:
            during = watched(client, SESSION_SECONDS + 4, is_kept)
        finally:
            os.kill(own_kafka.process_id, signal.SIGCONT)
        assert during.lag is None
        assert during.coverage_1h_s < covered_s - 3
        send(producer, topic, 5)
        eventually(lambda: _counted(client) == 10, "right again", 15)  # 2 s on an idle machine

        own_kafka.kill()
        watched(client, SESSION_SECONDS + 4, is_kept)
        own_kafka.start()
        send(producer, topic, 5)
        eventually(lambda: _counted(client) == 15, "right again", 15)

        admin = AdminClient({"bootstrap.servers": own_kafka.address})
        delete(admin, topic)
        watched(client, 12, is_kept)  # longer than the client takes to notice
        create_when_gone(log, topic)
        send(producer, topic, 3)
        eventually(lambda: _counted(client) == 3, "the new topic's clicks", 30)


def _counted(client: Any) -> int:
    snapshot = read(client, "all", "")
    return snapshot.meta.counted if snapshot and snapshot.meta.lag is not None else -1
