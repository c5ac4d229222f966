"""On every event log, dead letters are read to the topic's end and replayed once."""

import time
from collections.abc import Sequence
from threading import Event
from typing import Any, Self

import fakeredis
import pytest

from services.enrich.dead_letters.replay import (
    REPLAYED_HEADER,
    Replay,
    Replayed,
    refusal_of_enriched,
    refusal_of_raw,
)
from services.enrich.dead_letters.topic import DeadLetter, read_dead_letters
from shared.events.enriched import encode_enriched
from shared.events.limits import Limits
from shared.events.raw import encode_raw
from shared.events.refusals import Origin, Reason, Refusal, dead_letter_headers
from shared.events.schema import EnrichedEvent, RawEvent
from shared.runtime.dependency import Stopped
from shared.streams.event_log import Consumer, EventLog, Listener, LogUnavailable, NewRecord, Record
from tests.support.fakes.memory_producer import MemoryProducer
from tests.support.servers.event_logs import (
    HOUR_MS,
    LogUnderTest,
    Owner,
    a_group,
    a_topic,
    append,
    fake_redis,
    read,
)

NOW_MS = 1_790_000_000_123
ORIGIN = Origin("enrich", "click-data", 3, 42, NOW_MS)


def refuse(log: EventLog, source: str, topic: str, values: list[bytes], reason: Reason = Reason.NOT_JSON) -> None:
    """Append dead letters as a service does: in one transaction with its offsets."""
    append(log, source, b"read")
    with log.processor(source, a_group()) as processor:
        (record, *_) = read(processor, 1)
        headers = dead_letter_headers(Refusal(reason, "no"), ORIGIN)
        processor.send(
            [NewRecord(topic, b"key%d" % number, value, headers) for number, value in enumerate(values)],
            {record.partition: record.offset + 1},
        )


def letters_of(log: EventLog, topic: str, since_ms: int = 0) -> list[DeadLetter]:
    return [letter for batch in read_dead_letters(log, topic, since_ms, Event()) for letter in batch]


def test_all_partitions_are_read_to_their_ends(log: EventLog) -> None:
    source, topic = a_topic(log), a_topic(log, partitions=3)
    refuse(log, source, topic, [b"%d" % number for number in range(2500)])
    refuse(log, source, topic, [b"last"], Reason.FUTURE)
    letters = letters_of(log, topic)
    assert sorted(letter.record.value for letter in letters) == sorted([b"%d" % n for n in range(2500)] + [b"last"])
    assert [letter.reason for letter in letters if letter.record.value == b"last"] == ["future"]
    assert {(letter.error, letter.origin) for letter in letters} == {("no", ORIGIN)}
    assert sorted(letters_of(log, topic)) == sorted(letters)  # reading changes nothing


def test_topic_without_dead_letters_ends_at_once(log: EventLog) -> None:
    assert letters_of(log, a_topic(log, partitions=2)) == []


def test_topic_whose_dead_letters_have_left_retention_ends(under_test: LogUnderTest) -> None:
    log = under_test.log
    source, topic = a_topic(log), a_topic(log)
    refuse(log, source, topic, [b"1", b"2", b"3"])
    letters = letters_of(log, topic)
    under_test.expire_before(topic, 0, letters[-1].record.offset)
    assert [letter.record.value for letter in letters_of(log, topic)] == [b"3"]


def test_since_is_the_time_of_refusal(log: EventLog) -> None:
    source, topic = a_topic(log), a_topic(log)
    refuse(log, source, topic, [b"before"])
    time.sleep(0.02)  # the log's clock has a resolution of 1 ms
    refuse(log, source, topic, [b"after"])
    before, after = letters_of(log, topic)
    since_ms = after.record.timestamp_ms
    assert before.record.timestamp_ms < since_ms
    assert [letter.record.value for letter in letters_of(log, topic, since_ms)] == [b"after"]
    assert letters_of(log, topic, since_ms + HOUR_MS) == []


def test_dead_letters_that_arrive_during_reading_are_left_out(log: EventLog) -> None:
    source, topic = a_topic(log), a_topic(log)
    refuse(log, source, topic, [b"%d" % number for number in range(1500)])
    found: list[bytes] = []
    for batch in read_dead_letters(log, topic, 0, Event()):
        if not found:
            refuse(log, source, topic, [b"new"] * 10)
        found += [letter.record.value for letter in batch]
    assert len(found) == 1500
    assert b"new" not in found


class FloodedConsumer:
    """A consumer of a topic that gets a new dead letter before each poll."""

    def __init__(self, log: EventLog, topic: str, consumer: Consumer) -> None:
        self._log = log
        self._topic = topic
        self._consumer = consumer

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        append(self._log, self._topic, b"new")
        return self._consumer.poll(max_records, timeout_seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


class FloodedLog:
    """A log that keeps getting new dead letters while it is read."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def consumer(self, topic: str, group: str, listener: Listener) -> FloodedConsumer:
        return FloodedConsumer(self._log, topic, self._log.consumer(topic, group, listener))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def test_end_is_found_during_a_flood() -> None:
    log = fake_redis().log
    topic = a_topic(log)
    append(log, topic, b"1", b"2")
    flooded: Any = FloodedLog(log)
    found = [letter.record.value for letter in letters_of(flooded, topic)]
    assert found[:2] == [b"1", b"2"]
    assert len(found) < 5  # those from before the first poll assigned the partition


def test_stops_when_asked(log: EventLog) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        list(read_dead_letters(log, a_topic(log), 0, stop))


class Clerk:
    """Replays dead letters chunk by chunk."""

    def __init__(self, log: EventLog, source: str, topic: str) -> None:
        self.log = log
        self.source = source
        self.topic = topic
        self.redis = fakeredis.FakeRedis()
        self.replayed = Replayed(self.redis, "shop:", topic, 24 * HOUR_MS)
        self.producer = MemoryProducer()
        self.replay = Replay(self.producer, self.replayed, source, topic, refusal_of_raw(Limits()))

    def run(self) -> tuple[int, int, dict[str, int]]:
        now_ms = time.time_ns() // 1_000_000
        plan = self.replay.plan(letters_of(self.log, self.topic), now_ms)
        self.replay.send(plan.accepted)
        self.replay.mark(plan.accepted, now_ms)
        return len(plan.accepted), plan.sent_before, dict(plan.refused)


def test_accepted_dead_letters_are_sent_once_unchanged_and_the_others_stay(log: EventLog) -> None:
    source, topic = a_topic(log), a_topic(log, partitions=2)
    good = encode_raw(RawEvent(timestamp=NOW_MS - 60_000, userId="ada", eventId="1"))
    refuse(log, source, topic, [b"nonsense", good, b"[]", good])
    clerk = Clerk(log, source, topic)
    refused = {"not_json": 1, "not_an_object": 1}
    assert clerk.run() == (2, 0, refused)
    assert [(record.topic, record.value) for record in clerk.producer.records] == [(source, good)] * 2
    assert {record.key for record in clerk.producer.records} == {b"key1", b"key3"}
    places = {f"{topic}:{letter.place}".encode() for letter in letters_of(log, topic) if letter.record.value == good}
    assert {dict(record.headers)[REPLAYED_HEADER] for record in clerk.producer.records} == places
    assert clerk.run() == (0, 2, refused)
    refuse(log, source, topic, [good])
    assert clerk.run() == (1, 2, refused)
    assert len(clerk.producer.records) == 3


def test_failed_send_marks_nothing() -> None:
    log = fake_redis().log
    source, topic = a_topic(log), a_topic(log)
    refuse(log, source, topic, [encode_raw(RawEvent(timestamp=NOW_MS, userId="ada"))])
    clerk = Clerk(log, source, topic)
    clerk.producer.outages = 1
    with pytest.raises(LogUnavailable):
        clerk.run()
    assert clerk.run()[:2] == (1, 0)


def test_marks_expire_with_the_dead_letters() -> None:
    log = fake_redis().log
    source, topic = a_topic(log), a_topic(log)
    refuse(log, source, topic, [encode_raw(RawEvent(timestamp=NOW_MS, userId="ada"))] * 3)
    clerk = Clerk(log, source, topic)
    clerk.run()
    (key,) = clerk.redis.keys()
    assert clerk.redis.zcard(key) == 3
    assert 0 < clerk.redis.pttl(key) <= 48 * HOUR_MS
    letters = letters_of(log, topic)
    clerk.replayed.mark(letters[:1], letters[0].record.timestamp_ms + 49 * HOUR_MS)
    assert clerk.redis.zcard(key) == 0


@pytest.mark.parametrize(
    ("value", "arrived_ms", "reason"),
    [
        (encode_raw(RawEvent(timestamp=NOW_MS, userId="ada")), NOW_MS, None),
        (encode_raw(RawEvent(timestamp=NOW_MS, userId="ada")), NOW_MS - 60_001, Reason.FUTURE),
        (b"{}", NOW_MS, Reason.MISSING_FIELD),
        (encode_raw(RawEvent(timestamp=NOW_MS, userId="a" * 257)), NOW_MS, Reason.TOO_LONG),
    ],
)
def test_raw_click_is_checked_as_enrich_does(value: bytes, arrived_ms: int, reason: Reason | None) -> None:
    refusal = refusal_of_raw(Limits())(value, arrived_ms)
    assert (refusal.reason if refusal is not None else None) == reason


def test_enriched_click_is_checked_as_aggregate_does() -> None:
    assert refusal_of_enriched(Limits())(encode_enriched(EnrichedEvent(NOW_MS, "ada")), NOW_MS) is None
    refusal = refusal_of_enriched(Limits())(b"{}", NOW_MS)
    assert refusal is not None


def test_service_reads_the_replayed_events(log: EventLog) -> None:
    source, topic = a_topic(log), a_topic(log)
    good = encode_raw(RawEvent(timestamp=NOW_MS, userId="ada"))
    refuse(log, source, topic, [good])
    clerk = Clerk(log, source, topic)
    with log.producer() as producer:
        clerk.replay = Replay(producer, clerk.replayed, source, topic, refusal_of_raw(Limits()))
        clerk.run()
    with log.consumer(source, a_group(), Owner()) as consumer:
        records = read(consumer, 2)
    assert [(record.key, record.value) for record in records[1:]] == [(b"key0", good)]
