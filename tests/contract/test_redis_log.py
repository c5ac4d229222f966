"""The log on Redis beyond the contract: one process per group, outages, and changes by others."""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.runtime.redis_client import connect
from shared.streams.event_log import Fenced, FromOffset, LogUnavailable, NewRecord, Record, TopicFacts, TopicSpec
from shared.streams.redis.layout import lease_key, offsets_key, stream_key, topics_key
from shared.streams.redis.log import RedisLog
from tests.support.servers.event_logs import (
    HOUR_MS,
    LEASE_SECONDS,
    MOST_RECORDS,
    Owner,
    RedisUnderTest,
    a_group,
    a_topic,
    append,
    fake_redis,
    read,
    real_redis,
    until,
    values,
)
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey


@pytest.fixture(params=["fakeredis", "redis"])
def under_test(request: pytest.FixtureRequest) -> RedisUnderTest:
    if request.param == "fakeredis":
        return fake_redis()
    return real_redis(request.getfixturevalue("redis_url"))


@pytest.fixture
def client(under_test: RedisUnderTest) -> Iterator[redis.Redis]:
    with under_test.open_client() as client:
        yield client


# --- one process per group -------------------------------------------------------------------------------------------


def test_a_second_process_of_a_group_is_fenced_while_the_first_lives(under_test: RedisUnderTest) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0")
    with log.processor(topic, group) as first, under_test.open_log().processor(topic, group) as second:
        assert values(read(first, 1)) == [b"0"]

        def poll_both() -> None:
            first.poll(1, 0)
            assert list(second.poll(1, 0.05)) == []

        with pytest.raises(Fenced, match=f"{lease_key('', topic, group)}.*one replica.*KAFKA_BROKER"):
            until(lambda: False, poll_both, seconds=LEASE_SECONDS * 5)
        append(log, topic, b"1")
        assert values(read(first, 1)) == [b"1"]


def test_a_lease_that_no_process_wrote_is_replaced(under_test: RedisUnderTest, client: redis.Redis) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    key = lease_key("", topic, group)

    def lie(kind: str) -> None:
        client.delete(key)
        if kind == "string":
            client.set(key, "x")
        else:
            client.rpush(key, "x")

    for kind in ("string", "list"):
        append(log, topic, kind.encode())
        lie(kind)
        with log.processor(topic, group) as processor:
            assert values(read(processor, 1))
            lifetime: Any = client.pttl(key)
            assert 0 < lifetime <= LEASE_SECONDS * 1000
            lie(kind)
            with pytest.raises(Fenced):  # its next start replaces the lease
                until(lambda: False, lambda: processor.poll(1, 0.05), seconds=LEASE_SECONDS * 5)


def test_nothing_remains_of_a_group_that_committed_nothing(under_test: RedisUnderTest, client: redis.Redis) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0")
    for commits in (False, True):
        with log.processor(topic, group) as processor:
            assert values(read(processor, 1)) == [b"0"]
            if commits:
                processor.send((), {0: 1})
        assert client.exists(lease_key("", topic, group)) == 0
        assert client.exists(offsets_key("", topic, group)) == commits


def test_another_group_reads_the_same_topic(under_test: RedisUnderTest) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, b"0")
    with log.processor(topic, a_group()) as first, log.processor(topic, a_group()) as second:
        assert values(read(first, 1)) == values(read(second, 1)) == [b"0"]


def test_the_first_polls_return_few_records_whose_size_is_unknown(under_test: RedisUnderTest) -> None:
    log = under_test.log
    topic = a_topic(log)
    sent = [b"%d" % number + bytes(200_000) for number in range(150)]
    append(log, topic, *sent[:75])
    append(log, topic, *sent[75:])
    with log.processor(topic, a_group()) as processor:
        polls = [values(processor.poll(5_000, 1)) for _ in range(4)]
    assert [len(records) for records in polls] == [64, 82, 4, 0]  # reads of 8 MB, once their size is known
    assert [value for records in polls for value in records] == sent


def test_a_successor_starts_at_once_after_a_clean_close(under_test: RedisUnderTest) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0")
    with log.processor(topic, group) as first:
        read(first, 1)
    with log.processor(topic, group) as second:
        assert values(second.poll(10, 0)) == [b"0"]


def test_a_successor_starts_when_the_lease_of_a_killed_process_expires(redis_url: str) -> None:
    under_test = real_redis(redis_url)
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0")
    program = f"""
from tests.support.servers.event_logs import real_redis
processor = real_redis({redis_url!r}).log.processor({topic!r}, {group!r})
assert len(processor.poll(10, 5)) == 1
print("reading", flush=True)
while True:
    processor.poll(10, 0.1)
"""
    victim = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert victim.stdout is not None
    with victim.stdout:
        assert victim.stdout.readline() == b"reading\n"
        victim.kill()
        victim.wait()
    with log.processor(topic, group) as successor:
        started = time.monotonic()
        assert values(read(successor, 1)) == [b"0"]
        assert time.monotonic() - started < LEASE_SECONDS * 3


def test_a_paused_process_goes_on_when_no_other_took_over(under_test: RedisUnderTest) -> None:
    log = under_test.log
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0", b"1")
    with log.processor(source, group) as processor:
        records = read(processor, 2)
        until(lambda: False, lambda: time.sleep(0.05), seconds=LEASE_SECONDS * 1.5)
        processor.send([NewRecord(target, b"key", b"done")], {0: records[1].offset + 1})
        append(log, source, b"2")
        assert values(read(processor, 1)) == [b"2"]
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 1)) == [b"done"]


def test_a_paused_process_is_fenced_when_another_took_over_and_left(under_test: RedisUnderTest) -> None:
    log = under_test.log
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    with log.processor(source, group) as paused:
        records = read(paused, 1)
        with under_test.open_log().processor(source, group) as other:
            assert values(read(other, 1)) == [b"0"]
            other.send([NewRecord(target, b"key", b"by the other")], {0: records[0].offset + 1})
        with pytest.raises(Fenced):
            paused.send([NewRecord(target, b"key", b"by the paused")], {0: records[0].offset + 1})
    with log.consumer(target, a_group(), Owner()) as consumer:
        assert values(read(consumer, 1)) == [b"by the other"]
        assert list(consumer.poll(10, 0.3)) == []


# --- changes by others to Redis --------------------------------------------------------------------------------------


def test_anyone_may_append_with_redis_cli(under_test: RedisUnderTest, client: redis.Redis) -> None:
    topic = a_topic(under_test.log)
    stream = stream_key("", topic, 0)
    client.xadd(stream, {"v": "value"})
    client.xadd(stream, {"k": "key", "v": "value"})
    client.xadd(stream, {"something": "else"})
    client.xadd(stream, {"v": "value", "h": "not MessagePack"})
    with under_test.log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 4)
    assert [(record.key, record.value, record.headers) for record in records] == [
        (None, b"value", ()),
        (b"key", b"value", ()),
        (None, b"", ()),
        (None, b"value", ()),
    ]


def test_the_log_goes_on_after_a_flush_of_the_database(under_test: RedisUnderTest, client: redis.Redis) -> None:
    log = under_test.log
    topic, target = a_topic(log, partitions=3), a_topic(log)
    append(log, topic, b"lost")
    group, owner = a_group(), Owner()
    with (
        log.producer() as producer,
        log.processor(topic, group) as processor,
        log.consumer(topic, a_group(), owner) as consumer,
    ):
        producer.send([NewRecord(topic, b"visitor", b"0")])
        read(consumer, 2)
        records = read(processor, 2)
        client.flushall()
        producer.send([NewRecord(topic, b"visitor", b"1")])
        assert values(read(consumer, 1)) == [b"1"]
        assert until(lambda: sum(consumer.lag().values()) == 0, lambda: consumer.poll(10, 0.2))
        assert sorted(owner.calls) == ["+0", "+1", "+2"]
        processor.send([NewRecord(target, b"key", b"of the lost")], {records[0].partition: records[0].offset + 1})
        assert values(read(processor, 1)) == [b"1"]
        assert until(lambda: bool(client.hexists(topics_key(""), topic)), lambda: consumer.poll(1, 0.2))
    successor = Owner()
    with log.consumer(topic, a_group(), successor) as consumer:
        assert values(read(consumer, 1)) == [b"1"]
        assert sorted(successor.assigned) == [0, 1, 2]


def test_a_topic_that_nobody_created_has_the_default_partitions(under_test: RedisUnderTest) -> None:
    log = under_test.log
    append(log, "unheard-of", *[b""] * 20, key=None)
    owner = Owner()
    with log.consumer("unheard-of", a_group(), owner) as consumer:
        assert {record.partition for record in read(consumer, 20)} == {0, 1}


def test_expired_records_are_trimmed_on_appending(under_test: RedisUnderTest, client: redis.Redis) -> None:
    topic = a_topic(under_test.log)
    stream = stream_key("", topic, 0)
    yesterday_ms = time.time_ns() // 1_000_000 - 25 * HOUR_MS
    for sequence in range(1, 301):  # Redis trims whole nodes, of a hundred entries
        client.xadd(stream, {"v": "old"}, id=f"{yesterday_ms}-{sequence}")
    append(under_test.log, topic, b"new")
    assert client.xlen(stream) <= 100


def test_an_exact_retention_applies_to_a_topic_that_exists(under_test: RedisUnderTest) -> None:
    log = under_test.log
    log.ensure_topics([TopicSpec("topic", 3, 24 * HOUR_MS)])
    log.ensure_topics([TopicSpec("topic", 1, 9 * HOUR_MS)])
    assert log.facts(["topic"])["topic"] == TopicFacts(3, 24 * HOUR_MS)
    log.ensure_topics([TopicSpec("topic", 1, 2 * HOUR_MS, is_exact=True)])
    assert log.facts(["topic"])["topic"] == TopicFacts(3, 2 * HOUR_MS)


def test_a_prefix_keeps_two_logs_apart(redis_url: str) -> None:
    one, two = (RedisUnderTest(partial(connect, redis_url), prefix) for prefix in ("one:", "two:"))
    for under_test in (one, two):
        under_test.log.ensure_topics([TopicSpec("topic", 1, HOUR_MS)])
        append(under_test.log, "topic", under_test.prefix.encode())
    with one.log.consumer("topic", "group", Owner()) as first, two.log.consumer("topic", "group", Owner()) as second:
        assert values(read(first, 1)) == [b"one:"]
        assert values(read(second, 1)) == [b"two:"]
        first.commit({0: 1})
    with connect(redis_url) as client:
        assert all(key.startswith((b"one:", b"two:")) for key in client.scan_iter())


def test_lag_from_the_middle_is_exact_once_the_end_was_reached(under_test: RedisUnderTest) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, *[b""] * 100)
    with log.consumer(topic, a_group(), Owner()) as consumer:
        records = read(consumer, 100)
    with log.consumer(topic, a_group(), Owner(FromOffset(records[40].offset))) as consumer:
        read(consumer, 1, max_records=1)
        assert 1 <= consumer.lag()[0] <= 99
        read(consumer, 59)
        assert list(consumer.poll(1, 1.2)) == []  # the end of the stream is checked once a second
        assert list(consumer.poll(1, 0)) == []
        assert consumer.lag() == {0: 0}
        append(log, topic, *[b""] * 10)
        read_since: list[Record] = []

        def read_one() -> None:
            read_since.extend(consumer.poll(1, 0))
            time.sleep(0.2)

        assert until(lambda: 0 < consumer.lag()[0] == 10 - len(read_since), read_one, 5)


# --- outages ---------------------------------------------------------------------------------------------------------


def test_a_full_redis_is_unavailable_and_appends_nothing_partially(redis_url: str) -> None:
    log = real_redis(redis_url).log
    source, target, group = a_topic(log), a_topic(log), a_group()
    append(log, source, b"0")
    with connect(redis_url) as client, log.processor(source, group) as processor, log.producer() as producer:
        records = read(processor, 1)
        outputs = [NewRecord(target, b"key", b"value")] * 3
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(LogUnavailable, match="maxmemory"):
                processor.send(outputs, {0: records[0].offset + 1})
            with pytest.raises(LogUnavailable, match="maxmemory"):
                producer.send(outputs)
        finally:
            client.config_set("maxmemory", 0)
        assert client.xlen(stream_key("", target, 0)) == 0
        assert values(read(processor, 1)) == [b"0"]
        processor.send(outputs, {0: records[0].offset + 1})
        assert client.xlen(stream_key("", target, 0)) == 3
        assert list(processor.poll(10, 0.2)) == []


@pytest.mark.parametrize(("name", "expected"), [("{topic}:0", "stream"), ("log:{topic}:{group}", "hash")])
def test_a_key_of_another_type_is_named_and_waited_out(
    under_test: RedisUnderTest, client: redis.Redis, name: str, expected: str
) -> None:
    topic, group = a_topic(under_test.log), a_group()
    key = name.format(topic=topic, group=group)
    client.set(key, "somebody's")
    with under_test.log.consumer(topic, group, Owner()) as consumer:
        told = f"key {key} in Redis holds the wrong kind of value, a string, expected a {expected}"
        with pytest.raises(LogUnavailable, match=told):
            consumer.poll(10, 0.1)
        client.delete(key)
        append(under_test.log, topic, b"0")
        assert values(read(consumer, 1)) == [b"0"]


def test_reading_and_writing_go_on_when_redis_returns_empty(tmp_path: Path) -> None:
    port = free_port()
    log = RedisLog(
        partial(connect, f"redis://127.0.0.1:{port}/0"),
        "x",
        prefix="",
        partitions=1,
        retention_ms=24 * HOUR_MS,
        most_records=MOST_RECORDS,
    )
    with log.producer() as producer, log.consumer("topic", "group", Owner()) as consumer:
        with running_valkey(tmp_path, port):
            producer.send([NewRecord("topic", b"key", b"0")])
            assert values(read(consumer, 1)) == [b"0"]
        with pytest.raises(LogUnavailable):
            consumer.poll(10, 0.2)
        with pytest.raises(LogUnavailable):
            producer.send([NewRecord("topic", b"key", b"lost")])
        with running_valkey(tmp_path, port):
            producer.send([NewRecord("topic", b"key", b"1")])
            assert values(read(consumer, 1)) == [b"1"]


def test_a_partition_has_a_maximum_length_and_keeps_the_newest(under_test: RedisUnderTest, client: redis.Redis) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, *[b"%d" % number for number in range(MOST_RECORDS + 5000)])
    stream = stream_key("", topic, 0)
    assert MOST_RECORDS <= client.xlen(stream) < MOST_RECORDS + 1000  # trimmed by whole nodes of the stream
    newest: Any = client.xrevrange(stream, count=1)
    assert newest[0][1][b"v"] == b"%d" % (MOST_RECORDS + 4999)
