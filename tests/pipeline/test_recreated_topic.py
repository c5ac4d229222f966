"""A deleted and recreated topic: aggregate sets aside the old topic's state, whether it was down or running."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from tests.pipeline.test_aggregate_service import running
from tests.support.oracle.publish_check import caught_up
from tests.support.polling import eventually
from tests.support.servers.event_logs import recreate

pytestmark = [pytest.mark.slow, pytest.mark.kafka]


@pytest.mark.parametrize("is_running", [False, True], ids=["down", "running"])
def test_only_the_new_topic_counts_even_when_it_is_longer(
    kafka_broker: str, redis_url: str, tmp_path: Path, is_running: bool
) -> None:
    topic = f"enriched-{uuid.uuid4().hex[:8]}"
    options = {"KAFKA_BROKER": kafka_broker, "ENRICHED_TOPIC": topic, "AGGREGATE_GROUP": topic, "PARTITIONS": "1"}
    log = open_log(ServiceSettings(kafka_broker=kafka_broker), "test")
    admin = AdminClient({"bootstrap.servers": kafka_broker})

    def send(product: str, count: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        event = EnrichedEvent(
            timestamp=now_ms, userId="u", ip="203.0.113.1", productId=product, country="Kenya", deviceType="Desktop"
        )
        producer.send([NewRecord(topic, b"u", encode_enriched(event))] * count)

    with connect(redis_url) as client, log.producer() as producer:
        with running(redis_url, tmp_path, **options):
            eventually(lambda: read(client, "all", ""), "a rollup", 40)
            send("old", 5)
            caught_up(client, 5)
            if is_running:
                recreate(log, admin, topic)
                send("new", 8)
                caught_up(client, 8)
                assert products(client) == {b"new": 8}
        if not is_running:
            recreate(log, admin, topic)
            send("new", 8)
        with running(redis_url, tmp_path, **options):
            caught_up(client, 8)
            assert products(client) == {b"new": 8}


def products(client: Any) -> dict[bytes, int]:
    return {name: int(views) for name, views in client.zrange("rollup:all:products:1h", 0, -1, withscores=True)}
