"""The detect service in its own process, from the enriched topic to the offers and the state log."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import STATE_LOG_KEY, STATE_LOG_LENGTH
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import Assignment, FromCommitted, LogUnavailable, NewRecord, Record, TopicSpec

pytestmark = pytest.mark.timeout(400)

DEADLINE_SECONDS = 120.0
STOP_SECONDS = 10.0
PARTITIONS = 2
PATH = (("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing"))


@dataclass(frozen=True)
class Site:
    """The settings, topics and keys of one test."""

    environment: dict[str, str]
    settings: ServiceSettings
    offers_topic: str

    @contextmanager
    def detect(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "services.cli", "detect"]
        with subprocess.Popen(command, env=os.environ | self.environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def click(self, users: Sequence[str], steps: Sequence[tuple[str, str]]) -> None:
        """Send the first step of every user, then the second step of every user, and so on."""
        now_ms = time.time_ns() // 1_000_000
        records = [
            NewRecord(
                self.settings.enriched_topic,
                user.encode(),
                encode_enriched(
                    EnrichedEvent(
                        timestamp=now_ms, userId=user, productId=product, category=category, gender="F", age=30
                    )
                ),
            )
            for product, category in steps
            for user in users
        ]
        with closing(open_log(self.settings, "test")) as log, log.producer() as producer:
            producer.send(records)

    def offers(self) -> list[dict[str, Any]]:
        """The values of the offers topic so far, unordered: all records before an end mark on each partition."""
        reading = uuid.uuid4().hex
        mark = f'"{reading}"'.encode()
        values: list[bytes] = []
        ended: set[int] = set()
        deadline = time.monotonic() + DEADLINE_SECONDS
        with closing(open_log(self.settings, "test")) as log:
            with log.producer() as producer:
                # Fifty different keys reach every partition.
                producer.send([NewRecord(self.offers_topic, str(key).encode(), mark) for key in range(50)])
            with log.consumer(self.offers_topic, reading, FromTheStart()) as consumer:
                while len(ended) < PARTITIONS:
                    records: Sequence[Record] = []
                    with suppress(LogUnavailable):  # transient: a busy broker answers late
                        records = consumer.poll(1_000, 0.5)
                    values += [record.value for record in records if record.value.startswith(b"{")]
                    ended |= {record.partition for record in records if record.value == mark}
                    assert time.monotonic() < deadline, "could not read the offers to the end"
        return [msgspec.json.decode(value) for value in values]

    def state_log(self) -> list[str]:
        with connect(self.settings.redis_url) as client:
            entries: Any = client.xrange(self.settings.redis_prefix + STATE_LOG_KEY)
        return [fields[b"msg"].decode() for _, fields in entries]


class FromTheStart:
    def on_assigned(self, assignment: Assignment) -> FromCommitted:  # noqa: ARG002 - the protocol has it
        return FromCommitted()

    def on_revoked(self, partition: int) -> None: ...


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def site(request: pytest.FixtureRequest, redis_url: str) -> Site:
    name = uuid.uuid4().hex[:8]
    environment = {
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{name}:",
        "ENRICHED_TOPIC": f"enriched-{name}",
        "OFFERS_TOPIC": f"offers-{name}",
        "PARTITIONS": str(PARTITIONS),
        "KAFKA_BROKER": request.getfixturevalue("kafka_broker") if request.param == "kafka" else "",
        "LOG_FORMAT": "console",
    }
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        settings = ServiceSettings()
    topics = (settings.enriched_topic, f"offers-{name}")
    with closing(open_log(settings, "test")) as log:
        log.ensure_topics([TopicSpec(topic, PARTITIONS, 24 * 3_600_000) for topic in topics])
    return Site(environment, settings, f"offers-{name}")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_offers_reach_the_log_and_transitions_the_state_log(site: Site) -> None:
    with site.detect() as process:
        site.click(["ada", "bea"], PATH)
        until(lambda: sum("gets offer2" in message for message in site.state_log()) == 2, "no offer in the state log")
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    offers = site.offers()
    assert sorted((offer["userId"], offer["offer"]) for offer in offers) == [("ada", "offer2"), ("bea", "offer2")]


def test_killed_service_sends_every_offer_once(site: Site) -> None:
    users = [f"user{number}" for number in range(8_000)]
    with site.detect() as process:
        site.click(users, PATH[:2])
        until(lambda: bool(site.state_log()), "no transition in the state log")
        process.kill()  # with most of the clicks still unread
    with site.detect():
        site.click(users, PATH[2:])
        until(lambda: len(site.offers()) >= len(users), "offers are missing")
    assert sorted(offer["userId"] for offer in site.offers()) == sorted(users)
    assert len(site.state_log()) == STATE_LOG_LENGTH
