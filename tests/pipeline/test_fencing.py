"""Two processes for one role: on Kafka the newer duplicate takes over, on the Redis log the second is refused."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from shared.runtime.process import FENCED_EXIT_CODE
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from shared.streams.redis.layout import lease_key
from tests.support.polling import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.kafka
def test_the_older_of_two_duplicate_instances_stops_as_fenced(
    kafka_broker: str, redis_url: str, tmp_path: Path
) -> None:
    topic = f"enriched-{uuid.uuid4().hex[:8]}"
    environment = os.environ | {
        "REDIS_URL": redis_url,
        "KAFKA_BROKER": kafka_broker,
        "KAFKA_INSTANCE_ID": "duplicate",
        "ENRICHED_TOPIC": topic,
        "AGGREGATE_GROUP": topic,
        "PARTITIONS": "2",
        "STATE_DIR": str(tmp_path / "state"),  # shared: the newer waits until the older has closed it
        "LOG_FORMAT": "json",
    }

    def start(name: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / name).open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "services.cli", "aggregate"], env=environment, stderr=log)

    def said(name: str) -> str:
        return (tmp_path / name).read_text()

    older = start("older")
    try:
        eventually(lambda: said("older").count("partition opened") == 2, "both partitions opened", 90)
        newer = start("newer")
        try:
            assert older.wait(90) == FENCED_EXIT_CODE
            assert "fenced: another process does this work" in said("older")
            assert "KAFKA_INSTANCE_ID" in said("older")
            assert "Traceback" not in said("older")
            eventually(lambda: said("newer").count("partition opened") == 2, "both partitions opened", 90)
            assert "set aside" not in said("newer")
            with open_log(ServiceSettings(kafka_broker=kafka_broker), "test").producer() as producer:
                producer.send([NewRecord(topic, b"visitor", b"no event")])
            eventually(lambda: "events refused" in said("newer"), "a record read by the newer process")
        finally:
            newer.kill()
            newer.wait()
    finally:
        older.kill()
        older.wait()


@pytest.mark.parametrize("service", ["enrich", "aggregate"])
def test_a_second_replica_on_the_redis_log_is_refused(redis_url: str, tmp_path: Path, service: str) -> None:
    topic = {"enrich": "click-data", "aggregate": "enriched-click-data"}[service]
    command = [sys.executable, "-m", "services.cli", service]
    environment = os.environ | {"REDIS_URL": redis_url, "LOG_FORMAT": "json"}

    def started(name: str) -> "subprocess.Popen[str]":
        own = environment | {"STATE_DIR": str(tmp_path / name)}
        return subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True)

    with started("first") as first, connect(redis_url) as client:
        try:
            eventually(lambda: bool(client.exists(lease_key("", topic, service))), "the lease of the first replica", 90)
            with started("second") as second:
                _, said = second.communicate(timeout=90)
            assert second.returncode == FENCED_EXIT_CODE
            assert "fenced: another process does this work" in said
            assert "supports one replica of each service; stop the other one, or set KAFKA_BROKER" in said
            assert "Traceback" not in said
            assert first.poll() is None
        finally:
            first.kill()
            first.communicate()
