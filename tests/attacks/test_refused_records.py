"""Records that stop a partition: too large to keep, too large to unpack, and outputs that a topic never takes."""

import hashlib
import re
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import confluent_kafka
import fakeredis
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from services.aggregate.dead_letters import DeadLetters
from services.detect.machines import MachineStore
from services.detect.service import DetectService
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.service import EnrichService, Route
from services.enrich.tally import Tally
from services.traffic.sending import Outbox
from shared.events.dead_letters import LEAST_BYTES, PREFIX_BYTES
from shared.events.enriched import encode_enriched
from shared.events.raw import encode_raw
from shared.events.refusals import Reason, Refusal, dead_letter_topic
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.dependency import Dependency
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.streams.event_log import EventLog, Record, Refused
from tests.support.polling import eventually
from tests.support.servers.event_logs import KafkaUnderTest, Owner, a_group, a_topic, append, read, until
from tests.support.servers.kafka.raw_producer import send_raw

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def log(kafka_broker: str) -> EventLog:
    return KafkaUnderTest(kafka_broker).log


@pytest.fixture
def stranger(kafka_broker: str) -> confluent_kafka.Producer:
    """A producer whose limits are its own."""
    options = {"bootstrap.servers": kafka_broker, "compression.type": "zstd", "message.max.bytes": 1_000_000_000}
    return confluent_kafka.Producer(options)


def topic_with(broker: str, name: str, **config: str) -> str:
    options = {key.replace("_", "."): value for key, value in config.items()}
    admin = AdminClient({"bootstrap.servers": broker})  # without a variable it would be freed before the answer
    admin.create_topics([NewTopic(name, 1, 1, config=options)])[name].result(30)
    return name


def click(number: int, agent: str = "", user: str = "") -> bytes:
    now_ms = time.time_ns() // 1_000_000
    return encode_raw(RawEvent(timestamp=now_ms, userId=user or f"u{number}", eventId=f"{number}", userAgent=agent))


def noise(random: Random, characters: int) -> str:
    """Text that hardly compresses."""
    return b64encode(random.randbytes(characters))[:characters].decode()


class Enrich:
    """The service in this process, between topics of its own."""

    def __init__(self, log: EventLog, raw: str, enriched: str) -> None:
        self.health = Health("enrich")
        self._log = log
        self._route = Route(raw, enriched, log.address, "nowhere", batch_records=5000)
        self._group = a_group()

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = Event()
        lookups = Lookups(
            fakeredis.FakeRedis(), "", found_seconds=45, missing_seconds=10, cache_entries=1000, clock=time.monotonic
        )
        with self._log.processor(self._route.raw_topic, self._group) as processor:
            tally = Tally(time.monotonic)
            service = EnrichService(processor, lookups, self._route, tally=tally, health=self.health, stop=stop)
            thread = threading.Thread(target=service.run)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()


def all_of(log: EventLog, topic: str, count: int) -> list[Record]:
    with log.consumer(topic, a_group(), Owner()) as consumer:
        found = read(consumer, count)
        found += consumer.poll(10, 0.3)
    assert len(found) == count
    return found


def threads_of_this_process() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def facts(letter: Record) -> dict[str, str]:
    return {name: value.decode() for name, value in letter.headers}


def test_a_record_too_large_to_keep_leaves_its_prefix_size_and_digest(
    log: EventLog, stranger: confluent_kafka.Producer
) -> None:
    raw, enriched = a_topic(log), a_topic(log)
    topic_with(log.address, dead_letter_topic(raw), max_message_bytes=str(2 << 20))
    large = [bytes(5 << 20), Random(7).randbytes(2_096_960 - 100), b"{}"]
    keys = [b"k", b"k", bytes(3 << 20)]  # as a key
    append(log, raw, click(0))
    for key, value in zip(keys, large, strict=True):
        stranger.produce(raw, value, key)
        assert stranger.flush(30) == 0
    append(log, raw, click(1))
    with Enrich(log, raw, enriched).running():
        assert len(all_of(log, enriched, 2)) == 2
        letters = all_of(log, dead_letter_topic(raw), 3)
    for letter, key, value in zip(letters, keys, large, strict=True):
        assert letter.value == value[:PREFIX_BYTES]
        assert letter.key == key[:1024]
        told = facts(letter)
        assert (told["bytes"], told["sha256"]) == (str(len(value)), hashlib.sha256(value).hexdigest())


def test_a_batch_too_large_to_unpack_is_skipped_as_a_whole(log: EventLog) -> None:
    """It has three records, and grows from 20 KB to more than the 100 MB that the client unpacks."""
    raw, enriched = a_topic(log), a_topic(log)
    topic_with(log.address, dead_letter_topic(raw))
    append(log, raw, *[click(number) for number in range(20)])
    bomber = confluent_kafka.Producer(
        {
            "bootstrap.servers": log.address,
            "compression.type": "zstd",
            "message.max.bytes": 1_000_000_000,
            "batch.size": 300_000_000,
            "linger.ms": 2_000,
        }
    )
    for _ in range(3):
        bomber.produce(raw, bytes(40 << 20), b"k")
    assert bomber.flush(60) == 0
    append(log, raw, *[click(number) for number in range(20, 40)])
    with Enrich(log, raw, enriched).running():
        assert len(all_of(log, enriched, 40)) == 40
    letters = all_of(log, dead_letter_topic(raw), 1)
    # One, or several where the broker takes more than two seconds to answer; together they tell of each record once.
    spans = [re.match(rb"unreadable: offsets (\d+) to (\d+) ", letter.value) for letter in letters]
    told = [range(int(span[1]), int(span[2]) + 1) for span in spans if span]
    assert [offset for own in told for offset in own] == [20, 21, 22]
    assert [facts(letter)["offset"] for letter in letters] == [str(own[-1]) for own in told]


def test_header_names_that_are_not_text_end_no_reader(log: EventLog, kafka_broker: str) -> None:
    """The client raises SystemError for them, and a second look at the headers crashes Python."""
    raw = topic_with(kafka_broker, f"t{time.time_ns()}", compression_type="producer")  # or the broker mends the names
    enriched = a_topic(log)
    topic_with(kafka_broker, dead_letter_topic(raw), max_message_bytes="500")  # so that the batch is looked at again
    append(log, raw, click(0))
    for value in (b"no event" * 1000, click(1), b"no event"):
        send_raw(kafka_broker, raw, value, [(b"good", b"1"), (b"\xff\xfe", b"2")])
    append(log, raw, click(2))
    with Enrich(log, raw, enriched).running():
        assert len(all_of(log, enriched, 3)) == 3
        assert len(all_of(log, dead_letter_topic(raw), 2)) == 2
    assert [record.headers for record in all_of(log, raw, 5)] == [()] * 5


def test_refused_outputs_become_dead_letters_and_the_others_pass(log: EventLog, kafka_broker: str) -> None:
    """Each refusal used to leave a producer with its threads behind."""
    raw = a_topic(log)
    enriched = topic_with(kafka_broker, f"{raw}-enriched", max_message_bytes="1000")
    topic_with(kafka_broker, dead_letter_topic(raw), max_message_bytes="3000", cleanup_policy="compact")
    random = Random(7)
    large = (3, 17)
    append(
        log, raw, *[click(n, noise(random, 1000), noise(random, 250)) if n in large else click(n) for n in range(20)]
    )
    append(log, raw, b"no key, which a compacted topic refuses", key=None)
    append(log, raw, random.randbytes(50_000))
    with Enrich(log, raw, enriched).running():
        passed = all_of(log, enriched, 18)
        letters = all_of(log, dead_letter_topic(raw), 4)
        threads = threads_of_this_process()
    assert {record.key for record in passed} == {b"u%d" % n for n in range(20) if n not in large}
    assert len({record.key for record in passed}) == 18  # each once
    assert Counter(facts(letter)["reason"] for letter in letters) == {"refused_by_log": 2, "not_json": 1, "not_utf8": 1}
    assert all(len(letter.value) <= LEAST_BYTES for letter in letters if "bytes" in facts(letter))
    assert threads < 100, "a producer is left behind for each refusal"


def test_a_topic_that_takes_no_dead_letter_does_not_stop_the_partition(log: EventLog, kafka_broker: str) -> None:
    raw, enriched = a_topic(log), a_topic(log)
    topic_with(kafka_broker, dead_letter_topic(raw), max_message_bytes="100")
    append(log, raw, click(0), b"no event", click(1))
    enrich = Enrich(log, raw, enriched)
    with enrich.running():
        assert len(all_of(log, enriched, 2)) == 2
        eventually(lambda: enrich.health.report()["status"] == "healthy", "a healthy service")


def test_a_refused_offer_becomes_a_dead_letter(log: EventLog, kafka_broker: str) -> None:
    clicks = a_topic(log)
    offers = topic_with(kafka_broker, f"{clicks}-offers", max_message_bytes="250")
    topic_with(kafka_broker, dead_letter_topic(offers))
    users = ["ada", noise(Random(7), 250)]
    for user in users:
        for product, category in [("P1", "clothing"), ("P2", "shoes"), ("P3", "clothing")]:
            event: Any = EnrichedEvent(
                timestamp=time.time_ns() // 1_000_000,
                userId=user,
                productId=product,
                category=category,
                gender="F",
                age=30,
            )
            append(log, clicks, encode_enriched(event), key=user.encode())
    with log.processor(clicks, a_group()) as processor:
        service = DetectService(
            processor,
            MachineStore(fakeredis.FakeRedis(), "", 60_000),
            enriched_topic=clicks,
            offers_topic=offers,
            window_ms=60_000,
            health=Health("detect"),
            stop=Event(),
            now_ms=lambda: time.time_ns() // 1_000_000,
            log_address=log.address,
            redis_address="nowhere",
        )
        assert until(lambda: bool(processor.lag()), service.work)
        assert until(lambda: sum(processor.lag().values()) == 0, service.work)
    assert [record.key for record in all_of(log, offers, 1)] == [b"ada"]
    (letter,) = all_of(log, dead_letter_topic(offers), 1)
    assert (letter.key or b"").decode() == users[1]
    assert (facts(letter)["reason"], facts(letter)["topic"]) == ("refused_by_log", clicks)


def test_refused_dead_letters_of_aggregate_and_clicks_of_traffic_are_cut(log: EventLog, kafka_broker: str) -> None:
    topic = topic_with(kafka_broker, f"t{time.time_ns()}", max_message_bytes="3000")
    topic_with(kafka_broker, dead_letter_topic(topic), max_message_bytes="3000")
    random = Random(7)
    values = [random.randbytes(50_000) if number % 5 == 2 else b"%d" % number for number in range(20)]
    health = Health("test")
    with log.producer() as producer:
        dead_letters = DeadLetters(topic, producer, Dependency("the log", health), Gauges())
        refused = [
            (Record(0, number, 0, b"k", value), Refusal(Reason.NOT_JSON, "no")) for number, value in enumerate(values)
        ]
        assert dead_letters.try_send(refused, 0)
        assert refused == []
        outbox = Outbox(lambda: producer, topic, "the log", Event(), health)
        for number, value in enumerate(values):
            outbox.put(f"{number}", value)
        outbox.flush()
    letters = all_of(log, dead_letter_topic(topic), 20 + 4)
    assert Counter(facts(letter)["reason"] for letter in letters) == {"not_json": 20, "refused_by_log": 4}
    assert Counter(facts(letter).get("bytes") for letter in letters) == {None: 16, "50000": 8}
    assert len(all_of(log, topic, 16)) == 16


def test_a_poll_of_large_records_is_bounded_by_their_bytes(log: EventLog) -> None:
    topic = a_topic(log)
    append(log, topic, *[bytes(250_000)] * 200)
    polls: list[int] = []
    with log.processor(topic, a_group()) as processor:

        def poll() -> None:
            polls.append(sum(map(len, processor.poll(5000, 0.5).values)))

        assert until(lambda: sum(polls) >= 200 * 250_000, poll)
    assert sum(polls) == 200 * 250_000


def test_the_log_stays_available_through_a_flood_of_refusals(log: EventLog, kafka_broker: str) -> None:
    """A producer that is refused again and again keeps its threads, and takes what is small enough."""
    topic = topic_with(kafka_broker, f"t{time.time_ns()}", max_message_bytes="1000")
    random = Random(7)
    with log.processor(a_topic(log), a_group()) as processor:
        threads = []
        for _ in range(4):
            with pytest.raises(Refused, match="too large"):
                processor.send([(topic, b"k", b"small", ()), (topic, b"k", random.randbytes(5000), ())], {})
            threads.append(threads_of_this_process())
        sent = []

        def send() -> None:
            processor.send([(topic, b"k", b"small", ())], {})
            sent.append(True)

        assert until(lambda: bool(sent), send)
    assert len(all_of(log, topic, 1)) == 1
    assert max(threads[2:]) <= threads[1], threads
