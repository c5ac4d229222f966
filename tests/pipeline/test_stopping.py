"""SIGTERM: every service exits within ten seconds with code 0, even when a dependency is down; a second one kills."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import confluent_kafka
import pytest
import redis
from confluent_kafka import Consumer, TopicPartition

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from tests.support.polling import eventually
from tests.support.servers.kafka.broker import Kafka
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVICES = ("enrich", "aggregate", "detect")
STOP_SECONDS = 10.0
NOBODY = "127.0.0.1:1"


class Running:
    """The running services of one site."""

    def __init__(self, folder: Path, **options: str) -> None:
        suffix = uuid.uuid4().hex[:8]
        self.raw_topic = f"clicks-{suffix}"
        self.enriched_topic = f"enriched-{suffix}"
        self._folder = folder
        self._ports = {service: free_port() for service in SERVICES}
        self._environment = os.environ | {
            "RAW_TOPIC": self.raw_topic,
            "ENRICHED_TOPIC": self.enriched_topic,
            "AGGREGATE_GROUP": suffix,
            "STATE_DIR": str(folder / "state"),
            "LOG_FORMAT": "json",
            **options,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, service: str) -> None:
        environment = self._environment | {"HEALTH_PORT": str(self._ports[service])}
        with (self._folder / service).open("wb") as log:
            command = [sys.executable, "-m", "services.cli", service]
            self.processes[service] = subprocess.Popen(command, env=environment, stderr=log)

    def said(self, service: str) -> str:
        return (self._folder / service).read_text()

    def is_healthy(self, service: str) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self._ports[service]}/health", timeout=5).close()
        except OSError:
            return False
        return True

    def hears_signals(self, service: str) -> bool:
        """Whether it has opened its health endpoint, which is after its signal handlers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._ports[service])) == 0

    def ask_to_stop(self) -> None:
        """Send SIGTERM to all; fail unless each exits in time with code 0."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and None in [process.poll() for process in self.processes.values()]:
            time.sleep(0.05)
        codes = {service: process.poll() for service, process in self.processes.items()}
        assert codes == dict.fromkeys(self.processes, 0), {service: self.said(service)[-1000:] for service in codes}
        assert not any("Traceback" in self.said(service) for service in codes)

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextmanager
def services(folder: Path, **options: str) -> Iterator[Running]:
    """Run all services while the block runs."""
    running = Running(folder, **options)
    try:
        for service in SERVICES:
            running.start(service)
        yield running
    finally:
        running.kill()


@contextmanager
def at_work(folder: Path, kafka: Kafka, redis_url: str) -> Iterator[Running]:
    """Run all services, after each has processed a click."""
    with services(folder, KAFKA_BROKER=kafka.address, REDIS_URL=redis_url) as running:
        eventually(lambda: all(map(running.is_healthy, SERVICES)), "all services healthy", 90)
        with open_log(ServiceSettings(kafka_broker=kafka.address), "test").producer() as producer:
            producer.send([NewRecord(running.raw_topic, b"visitor", b'{"timestamp": 1, "userId": "visitor"}')])
        client = redis.Redis.from_url(redis_url)
        eventually(lambda: client.hget("rollup:meta", "read") == b"1", "the click read", 60)
        eventually(lambda: _is_committed(kafka, "detect", running.enriched_topic), "detect has committed it", 60)
        yield running


@contextmanager
def clicks(kafka: Kafka, topic: str) -> Iterator[None]:
    """Send clicks without a pause while the block runs."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "linger.ms": 0})
    is_over = Event()

    def send() -> None:
        while not is_over.wait(0.005):
            event = {"timestamp": int(time.time() * 1000), "userId": "visitor", "ip": None, "userAgent": None}
            producer.produce(topic, json.dumps(event).encode(), b"visitor")
            producer.poll(0)

    sending = Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        is_over.set()
        sending.join()
        producer.purge()


def _is_committed(kafka: Kafka, group: str, topic: str) -> bool:
    places = [TopicPartition(topic, partition) for partition in range(4)]
    with closing(Consumer({"bootstrap.servers": kafka.address, "group.id": group})) as consumer:
        try:
            return any(place.offset > 0 for place in consumer.committed(places, timeout=10))
        except confluent_kafka.KafkaException:  # temporary: a busy broker answers late
            return False


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """A Valkey that the test may pause."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with running_valkey(folder) as url:
        yield url


def process_id_of(redis_url: str) -> int:
    return int(redis.Redis.from_url(redis_url).info("server")["process_id"])


@contextmanager
def paused(process_id: int) -> Iterator[None]:
    """Freeze the process while the block runs, as behind a cut network."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def test_before_any_dependency_has_answered(tmp_path: Path) -> None:
    with services(tmp_path, KAFKA_BROKER=NOBODY, REDIS_URL=f"redis://{NOBODY}") as running:
        eventually(
            lambda: all('"waiting"' in running.said(service) for service in SERVICES), "all services waiting", 60
        )
        running.ask_to_stop()


@pytest.mark.kafka
def test_services_stop_while_the_broker_is_dead(own_kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    with at_work(tmp_path, own_kafka, redis_url) as running:
        own_kafka.kill()
        eventually(lambda: not any(map(running.is_healthy, SERVICES)), "the outage noticed")
        running.ask_to_stop()


@pytest.mark.kafka
@pytest.mark.parametrize("seconds_before", [0, 8], ids=["at once", "noticed"])
def test_services_stop_while_the_broker_does_not_answer(
    own_kafka: Kafka, redis_url: str, tmp_path: Path, seconds_before: float
) -> None:
    with at_work(tmp_path, own_kafka, redis_url) as running, paused(own_kafka.process_id):
        time.sleep(seconds_before)
        running.ask_to_stop()


@pytest.mark.kafka
def test_while_the_broker_stops_answering_mid_call(own_kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """A call in flight, such as a commit or a transaction, does not delay the stop either."""
    with at_work(tmp_path, own_kafka, redis_url) as running, clicks(own_kafka, running.raw_topic):
        time.sleep(2)
        with paused(own_kafka.process_id):
            running.ask_to_stop()


@pytest.mark.kafka
@pytest.mark.parametrize("seconds_before", [0, 8], ids=["at once", "noticed"])
def test_services_stop_while_redis_does_not_answer(
    own_kafka: Kafka, own_redis: str, tmp_path: Path, seconds_before: float
) -> None:
    with at_work(tmp_path, own_kafka, own_redis) as running, paused(process_id_of(own_redis)):
        time.sleep(seconds_before)
        running.ask_to_stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_kills(tmp_path: Path, number: signal.Signals) -> None:
    """While it waits for a Redis that does not answer, enrich takes seconds to stop."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with running_valkey(folder) as url, paused(process_id_of(url)):
        running = Running(tmp_path, REDIS_URL=url)
        running.start("enrich")
        process = running.processes["enrich"]
        try:
            eventually(lambda: running.hears_signals("enrich"), "enrich handling signals")
            time.sleep(0.5)
            process.send_signal(number)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(number)
            assert process.wait(20) == -number
        finally:
            running.kill()
