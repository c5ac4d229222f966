"""Entries on the Redis log whose ids strangers chose: beyond an offset, in the future, and at the end of all ids."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from shared.streams.event_log import LogUnavailable, NewRecord, Processor, Record
from shared.streams.redis.foreign_ids import _Copy, repair
from shared.streams.redis.layout import offsets_key, stream_key
from tests.support.servers.event_logs import (
    HOUR_MS,
    Owner,
    RedisUnderTest,
    a_group,
    a_topic,
    append,
    read,
    real_redis,
    until,
    values,
)

pytestmark = pytest.mark.timeout(300)

NOW_MS = time.time_ns() // 1_000_000
LAST = 2**64 - 1
IDS = {
    "the issue's": "99999999999999-1048577",
    "the last": f"{LAST}-{LAST}",
    "almost the last": f"{LAST}-{LAST - 1}",
    "the last time": f"{LAST}-0",
    "tomorrow": f"{NOW_MS + 24 * HOUR_MS}-0",
    "soon, with a sequence beyond an offset": f"{NOW_MS + HOUR_MS // 2}-1048577",
    "soon, at the last sequence": f"{NOW_MS + HOUR_MS // 2}-1048575",
    "past, with a sequence beyond an offset": f"{NOW_MS - 100_000}-1048577",
}


@pytest.fixture
def under_test(redis_url: str) -> RedisUnderTest:
    return real_redis(redis_url)


@pytest.fixture
def client(under_test: RedisUnderTest) -> Iterator[redis.Redis]:
    with under_test.open_client() as client:
        yield client


def collect(client: redis.Redis, stream: str, *sent: bytes) -> None:
    """Append as a collector does that knows only XADD, and retries."""
    for value in sent:
        with suppress(redis.ResponseError):  # no id is left
            client.xadd(stream, {"v": value})
            continue
        raise AssertionError("refused")


def read_all(processor: Processor, count: int) -> list[Record]:
    """Read and commit."""
    found: list[Record] = []

    def step() -> None:
        batch = processor.poll(7, 0.2)
        processor.send([], batch.next_offsets())
        found.extend(batch)

    until(lambda: len(found) >= count, step)
    return found


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("while_down", [False, True])
def test_a_foreign_id_stops_nothing(
    under_test: RedisUnderTest, client: redis.Redis, name: str, while_down: bool
) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    stream = stream_key("", topic, 0)
    with suppress(redis.ResponseError):  # the past one is only taken at first
        if name.startswith("past"):
            client.xadd(stream, {"v": "foreign"}, id=IDS[name])
    append(log, topic, *[b"%d" % number for number in range(10)])
    found: list[Record] = []
    expected = [b"%d" % number for number in range(20)]

    def attack() -> None:
        if not name.startswith("past"):
            client.xadd(stream, {"v": "foreign"}, id=IDS[name])
        if "last" not in name:
            collect(client, stream, *expected[10:13])  # with ids that continue from the foreign one
        else:
            append(log, topic, *expected[10:13])

    if while_down:
        attack()
    with log.processor(topic, group) as processor:
        if not while_down:
            found += read_all(processor, 5)
            attack()
        found += read_all(processor, 14 - len(found))
    append(log, topic, *expected[13:])
    with log.processor(topic, group) as processor:
        found += read_all(processor, 21 - len(found))
        assert until(lambda: processor.lag() == {0: 0}, lambda: processor.poll(1, 0.1))
    assert sorted(values(found)) == sorted([*expected, b"foreign"])
    assert [value for value in values(found) if value != b"foreign"] == expected
    offsets = [record.offset for record in found]
    assert offsets == sorted(set(offsets))
    assert all(abs(record.timestamp_ms - NOW_MS) < HOUR_MS for record in found)


@pytest.mark.parametrize("remove", ["XDEL", "XSETID"])
def test_a_last_id_without_an_entry_stops_nothing(under_test: RedisUnderTest, client: redis.Redis, remove: str) -> None:
    log = under_test.log
    topic = a_topic(log)
    stream = stream_key("", topic, 0)
    append(log, topic, b"0")
    with log.processor(topic, a_group()) as processor:
        assert values(read_all(processor, 1)) == [b"0"]
        if remove == "XDEL":
            client.xadd(stream, {"v": "foreign"}, id=IDS["the last"])
            client.xdel(stream, IDS["the last"])
        else:
            client.execute_command("XSETID", stream, IDS["the last"])
        append(log, topic, b"1")
        assert values(read_all(processor, 1)) == [b"1"]


@pytest.mark.parametrize("name", ["the last", "the issue's"])
def test_outputs_reach_a_stream_with_a_foreign_id_once(
    under_test: RedisUnderTest, client: redis.Redis, name: str
) -> None:
    """Redis does the rest of a transaction when one append fails, so offsets moved past lost outputs."""
    log = under_test.log
    source, target, other = a_topic(log), a_topic(log), a_topic(log)
    append(log, source, *[b"%d" % number for number in range(30)])
    client.xadd(stream_key("", target, 0), {"v": "foreign"}, id=IDS[name])
    sent: list[bytes] = []
    with log.processor(source, a_group()) as processor:

        def copy() -> None:
            batch = processor.poll(10, 0.2)
            outputs = [NewRecord(topic, b"k", record.value) for record in batch for topic in (other, target)]
            processor.send(outputs, batch.next_offsets())
            sent.extend(values(batch))

        assert until(lambda: len(sent) == 30, copy)
    for topic, extra in ((other, []), (target, [b"foreign"])):
        with log.consumer(topic, a_group(), Owner()) as consumer:
            assert values(read(consumer, 30 + len(extra))) == [*extra, *sent]
            assert list(consumer.poll(10, 0.2)) == []


def test_outputs_for_a_key_of_another_type_are_neither_lost_nor_doubled(
    under_test: RedisUnderTest, client: redis.Redis
) -> None:
    log = under_test.log
    source, target, other = a_topic(log), a_topic(log), a_topic(log)
    append(log, source, b"0")
    client.set(stream_key("", target, 0), "no stream")
    with log.processor(source, a_group()) as processor:
        for _ in range(3):
            (record,) = read(processor, 1)
            with pytest.raises(LogUnavailable):
                processor.send(
                    [NewRecord(other, b"k", record.value), NewRecord(target, b"k", record.value)],
                    {0: record.offset + 1},
                )
        client.delete(stream_key("", target, 0))
        (record,) = read(processor, 1)
        processor.send(
            [NewRecord(other, b"k", record.value), NewRecord(target, b"k", record.value)], {0: record.offset + 1}
        )
        assert list(processor.poll(10, 0.2)) == []
    assert client.xlen(stream_key("", target, 0)) == client.xlen(stream_key("", other, 0)) == 1


@pytest.mark.parametrize("offset", ["-5", "abc", "1.5", "", "9" * 5000, "²", "99999999999999999999999"])
def test_a_foreign_committed_offset_stops_nothing(under_test: RedisUnderTest, client: redis.Redis, offset: str) -> None:
    log = under_test.log
    topic, group = a_topic(log), a_group()
    append(log, topic, b"0", b"1")
    client.hset(offsets_key("", topic, group), mapping={"0": offset, "77": "3", "x": "y"})
    with log.processor(topic, group) as processor:
        assert values(read_all(processor, 2)) == [b"0", b"1"]


@pytest.mark.parametrize("number", [1_000, 3_000], ids=["one page", "more than a page"])
def test_a_full_redis_copies_what_it_has_memory_for(
    under_test: RedisUnderTest, client: redis.Redis, number: int
) -> None:
    log = under_test.log
    topic = a_topic(log)
    append(log, topic, *[b"%d" % place + bytes(10_000_000 // number) for place in range(number)])
    client.xadd(stream_key("", topic, 0), {"v": "foreign"}, id=IDS["the last"])
    used = int(client.info("memory")["used_memory"])
    client.config_set("maxmemory", used + 4_000_000)
    try:
        with log.processor(topic, a_group()) as processor:
            found: list[bytes] = []
            assert until(lambda: b"foreign" in found, lambda: found.extend(values(processor.poll(100, 0.2)))), (
                "the newest entries are copied"
            )
        assert len(found) > 100
    finally:
        client.config_set("maxmemory", 0)


def test_a_page_that_arrives_as_the_copy_is_finished_is_copied_too(
    under_test: RedisUnderTest, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = under_test.log
    topic = a_topic(log)
    stream = stream_key("", topic, 0)
    append(log, topic, b"0")
    client.xadd(stream, {"v": "foreign"}, id=IDS["tomorrow"])
    later = [b"%d" % number for number in range(1, 1_500)]
    try_finish: Any = _Copy._try_finish  # noqa: SLF001 - the moment that counts

    def append_first(copy: _Copy, transaction: Any) -> bool:
        if later:
            with client.pipeline() as pipeline:
                while later:
                    pipeline.xadd(stream, {"v": later.pop(0)})
                pipeline.execute()
        return bool(try_finish(copy, transaction))

    monkeypatch.setattr(_Copy, "_try_finish", append_first)
    repair(client, stream)
    with log.processor(topic, a_group()) as processor:
        found = values(read_all(processor, 1_501))
    assert found == [b"0", b"foreign", *[b"%d" % number for number in range(1, 1_500)]]


def test_nothing_is_lost_or_doubled_while_others_append(under_test: RedisUnderTest, long: bool) -> None:
    log = under_test.log
    topic = a_topic(log)
    stream = stream_key("", topic, 0)
    sent = [b"%d" % number for number in range(50_000 if long else 2_000)]

    def append_all() -> None:
        with under_test.open_client() as collector:
            for number, value in enumerate(sent):
                if number % (len(sent) // 4) == 100:
                    collector.xadd(stream, {"v": "foreign"}, id=f"{time.time_ns() // 1_000_000 + 30 * HOUR_MS}-0")
                collector.xadd(stream, {"v": value})

    appending = threading.Thread(target=append_all)
    appending.start()
    with log.processor(topic, a_group()) as processor:
        found = values(read_all(processor, len(sent) + 4))
    appending.join()
    assert [value for value in found if value != b"foreign"] == sent
    assert found.count(b"foreign") == 4
