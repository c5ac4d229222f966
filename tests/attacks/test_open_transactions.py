"""A producer that leaves its transaction open, so that readers of a partition get nothing more."""

import threading
import uuid
from contextlib import suppress
from threading import Event

import confluent_kafka
import pytest

from shared.runtime.settings import ServiceSettings
from shared.status.health import Health
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable
from shared.streams.kafka import open_transactions
from tests.support.polling import eventually
from tests.support.servers.event_logs import a_group, a_topic, append

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def test_an_open_transaction_degrades_health_and_names_the_partition(
    kafka_broker: str, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    if not long:
        monkeypatch.setattr(open_transactions, "OPEN_SECONDS", 1.0)
    health = Health("enrich")
    log = open_log(ServiceSettings(kafka_broker=kafka_broker), "test", health)
    topic = a_topic(log, partitions=2)
    hanging = confluent_kafka.Producer(
        {"bootstrap.servers": kafka_broker, "transactional.id": uuid.uuid4().hex, "transaction.timeout.ms": 600_000}
    )
    hanging.init_transactions(30)
    hanging.begin_transaction()
    hanging.produce(topic, b"first", partition=1)
    assert hanging.flush(30) == 0
    stop = Event()

    def read() -> None:
        with log.processor(topic, a_group()) as processor:
            while not stop.is_set():
                with suppress(LogUnavailable):  # a busy broker answers late
                    processor.poll(100, 0.2)

    def grow() -> bool:
        append(log, topic, *[b"%d" % number for number in range(20)], key=None)
        return health.report()["status"] == "degraded"

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(grow, "degraded health", timeout_seconds=120)
        assert f"{topic} partition 1: a transaction has been open" in str(health.report()["failures"])
        assert "partition 0" not in str(health.report()["failures"])
        hanging.abort_transaction(30)
        eventually(lambda: health.report()["status"] == "healthy", "healthy again", timeout_seconds=120)
    finally:
        stop.set()
        reader.join()
