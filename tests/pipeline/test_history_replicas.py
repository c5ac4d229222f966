"""History on a real Kafka: replicas that come and go, a recreated topic, expired records, and a long outage."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

import pytest
from confluent_kafka.admin import AdminClient

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import LogUnavailable, TopicSpec
from tests.conftest import or_skip
from tests.support.history_site import Site
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.polling import eventually
from tests.support.servers.event_logs import KafkaUnderTest, delete
from tests.support.servers.postgres import running_postgres
from tests.support.servers.server_process import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PARTITIONS = 4
HOUR_MS = 3_600_000


@pytest.fixture
def site(kafka_broker: str, redis_url: str) -> Iterator[Site]:
    name = uuid.uuid4().hex[:8]
    with or_skip(running_postgres) as postgres, pytest.MonkeyPatch.context() as patch:
        environment = {
            "REDIS_URL": redis_url,
            "REDIS_PREFIX": f"{name}:",
            "ENRICHED_TOPIC": f"enriched-{name}",
            "PARTITIONS": str(PARTITIONS),
            "KAFKA_BROKER": kafka_broker,
            "HISTORY_URL": postgres.url,
            "HISTORY_BATCH_RECORDS": "300",
            "HISTORY_API_PORT": "0",
            "LOG_FORMAT": "console",
        }
        for variable, value in environment.items():
            patch.setenv(variable, value)
        site = Site(environment, ServiceSettings(), postgres)
        create(site)
        yield site


def create(site: Site) -> None:
    with closing(open_log(site.settings, "test")) as log:
        log.ensure_topics([TopicSpec(site.settings.enriched_topic, PARTITIONS, 24 * HOUR_MS)])


@contextmanager
def replica(site: Site) -> Iterator[Site]:
    """A replica with an endpoint of its own, stopped at the end."""
    site = replace(site, environment=site.environment | {"HEALTH_PORT": str(free_port())})
    with site.history() as process:
        yield site
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def owned(site: Site) -> int:
    """How many partitions the replica has."""
    with suppress(urllib.error.URLError, ConnectionError):
        url = site.health_url.replace("/health", "/metrics")
        with urllib.request.urlopen(url) as answer:
            return sum(line.startswith(b"clickpulse_lag_events{") for line in answer)
    return 0


def products(site: Site) -> Counter[str]:
    return Counter(name for (name,) in site.query("SELECT name FROM events JOIN names ON names.id = product_id"))


def expected(places: Sequence[int]) -> Counter[str]:
    return Counter(f"P{place}" for place in places)


def test_replicas_come_and_go_and_sql_equals_what_was_sent(site: Site) -> None:
    sent, enough = 0, Event()

    def send() -> None:
        nonlocal sent
        while not enough.wait(0.1):
            site.send(sent, 100)
            sent += 100

    sender = Thread(target=send)
    sender.start()
    try:
        with replica(site) as first:
            eventually(lambda: owned(first) == PARTITIONS, "one replica has all partitions", 60)
            with replica(site) as second:
                with replica(site) as third:
                    eventually(lambda: min(map(owned, (first, second, third))) >= 1, "three replicas share them", 60)
                    before = site.read()
                    eventually(lambda: site.read() > before, "they store", 60)
                eventually(lambda: owned(first) == owned(second) == 2, "two replicas share them", 60)
                enough.set()
                sender.join(60)
                eventually(lambda: site.read() == sent, "all events are read", 60)
    finally:
        enough.set()
        sender.join(60)
    assert products(site) == expected(range(sent))
    assert wrong_rows(site.postgres.url) == []


def test_a_recreated_topic_is_read_whole_whether_history_runs_or_not(site: Site) -> None:
    admin = AdminClient({"bootstrap.servers": site.environment["KAFKA_BROKER"]})

    def recreate() -> None:
        delete(admin, site.settings.enriched_topic)
        eventually(lambda: not is_refused(site), "the old topic is gone", 60)

    with replica(site):
        site.send(0, 300)
        eventually(lambda: site.read() == 300, "the first topic is read", 60)
        recreate()
        site.send(300, 200)
        eventually(lambda: site.read() == 500, "the second topic is read", 60)
    recreate()
    site.send(500, 400)  # longer than the former one
    with replica(site):
        eventually(lambda: site.read() == 900, "the third topic is read", 60)
    assert products(site) == expected(range(900))
    assert site.query("SELECT count(DISTINCT topic_id), sum(next_offset) FROM history_offsets")[0] == (1, 400)


def is_refused(site: Site) -> bool:
    try:
        create(site)
    except LogUnavailable:
        return True
    return False


def test_records_that_expired_while_history_was_down_are_counted_as_lost(site: Site) -> None:
    with replica(site):
        site.send(0, 200)
        eventually(lambda: site.read() == 200, "the first events are read", 60)
    site.send(200, 400)
    places = site.query("SELECT partition, next_offset FROM history_offsets")
    log = KafkaUnderTest(site.environment["KAFKA_BROKER"])
    for partition, next_offset in places:
        log.expire_before(site.settings.enriched_topic, partition, next_offset + 10 * partition)
    lost = 10 * sum(range(PARTITIONS))
    with replica(site):
        eventually(lambda: site.read() == 600 - lost, "the rest is read", 60)
    assert site.query("SELECT partition, lost FROM history_offsets ORDER BY 1") == [
        (partition, 10 * partition) for partition in range(PARTITIONS)
    ]
    assert set(products(site).values()) == {1}
    assert wrong_rows(site.postgres.url) == []


def test_an_outage_longer_than_the_group_waits_repeats_nothing(site: Site) -> None:
    """The broker takes a member for dead that does not poll for `max.poll.interval.ms`, here 6 s instead of 5 min."""
    script = (
        "from shared.streams.kafka import client\n"
        "client._CONSUMER_OPTIONS |= {'max.poll.interval.ms': 6000}\n"
        "from services.history.__main__ import main\n"
        "raise SystemExit(main([]))\n"
    )
    environment = site.environment | {"KAFKA_SESSION_SECONDS": "6", "HEALTH_PORT": str(free_port())}
    site = replace(site, environment=environment)
    with subprocess.Popen([sys.executable, "-c", script], env=os.environ | environment) as process:
        try:
            site.send(0, 200)
            eventually(lambda: site.read() == 200, "the first events are read", 60)
            site.postgres.crash()
            site.send(200, 1000)
            eventually(lambda: site.health() == "degraded", "history waits", 60)
            time.sleep(7)
            site.postgres.start()
            eventually(lambda: site.read() == 1200, "all events are read", 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert products(site) == expected(range(1200))
    assert wrong_rows(site.postgres.url) == []
