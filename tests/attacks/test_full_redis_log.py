"""A flood that fills Redis with the log: Redis refuses every write, and with them what used to trim the log."""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import redis

from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import EventLog, LogUnavailable, NewRecord, TopicSpec
from shared.streams.redis.layout import stream_key
from shared.streams.redis.trimming import Trimmer, fair_share
from tests.conftest import or_skip
from tests.support.servers.event_logs import HOUR_MS, a_group, a_topic, append, until
from tests.support.servers.valkey import running_valkey

pytestmark = pytest.mark.timeout(300)

FREE_BYTES = 24_000_000


@pytest.fixture
def full_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey of its own, with little memory to fill."""
    with or_skip(lambda: running_valkey(tmp_path_factory.mktemp("valkey"))) as url:
        with connect(url) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", used_bytes(client) + FREE_BYTES)
        yield url


@pytest.fixture
def client(full_url: str) -> Iterator[redis.Redis]:
    with connect(full_url) as client:
        yield client


@pytest.fixture
def log(full_url: str) -> EventLog:
    return open_log(ServiceSettings(redis_url=full_url, partitions=1), "test")


def used_bytes(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def fill(client: redis.Redis, stream: str, first_ms: int | None = None) -> None:
    """Append until Redis refuses."""
    number = 0
    with suppress(redis.OutOfMemoryError):
        while True:
            with client.pipeline(transaction=False) as pipeline:
                for _ in range(1000):
                    number += 1
                    entry_id = "*" if first_ms is None else f"{first_ms + number}-0"
                    pipeline.execute_command("XADD", stream, entry_id, "v", b"flood" * (20 if number % 2 else 400))
                pipeline.execute()
    is_full = False
    while not is_full:  # the large pipeline leaves some when it ends
        number += 1
        try:
            client.execute_command("XADD", stream, "*" if first_ms is None else f"{first_ms + number}-0", "v", "flood")
        except redis.OutOfMemoryError:
            is_full = True


def works(log: EventLog, source: str, target: str) -> bool:
    """Whether a new service gets through its start and handles a new record."""
    copied: list[bytes] = []
    is_appended = False

    def append_one() -> None:
        nonlocal is_appended
        append(log, source, b"new")
        is_appended = True

    def start() -> None:
        log.ensure_topics([TopicSpec(name, 1, 24 * HOUR_MS) for name in (source, target)])

    assert until(lambda: is_appended, append_one)
    assert until(lambda: True, start)
    with log.processor(source, a_group()) as processor:

        def copy() -> None:
            batch = processor.poll(5000, 0.2)
            outputs = [NewRecord(target, b"k", value) for value in batch.values if value == b"new"]
            processor.send(outputs, batch.next_offsets())
            copied.extend(value for _, _, value, _ in outputs)

        return until(lambda: bool(copied), copy)


def test_a_log_full_of_expired_records_recovers(log: EventLog, client: redis.Redis) -> None:
    source, target = a_topic(log), a_topic(log)
    fill(client, stream_key("", source, 0), first_ms=time.time_ns() // 1_000_000 - 30 * HOUR_MS)
    assert works(log, source, target)
    assert client.xlen(stream_key("", source, 0)) < 200


def test_a_full_log_recovers_and_other_streams_keep_their_records(log: EventLog, client: redis.Redis) -> None:
    source, target, small = a_topic(log), a_topic(log), a_topic(log)
    append(log, small, *[b"%d" % number for number in range(500)])
    fill(client, stream_key("", source, 0))
    before = client.xlen(stream_key("", source, 0))
    assert works(log, source, target)
    assert before / 4 < client.xlen(stream_key("", source, 0)) < before
    assert client.xlen(stream_key("", small, 0)) == 500
    client.set("accepted", 1)


def test_the_log_is_not_dropped_when_other_keys_fill_redis(log: EventLog, client: redis.Redis) -> None:
    source = a_topic(log)
    append(log, source, *[b"%d" % number for number in range(500)])
    with suppress(redis.OutOfMemoryError):
        for number in range(1_000_000):
            client.set(f"other:{number}", bytes(10_000))
    with suppress(redis.OutOfMemoryError):
        for number in range(1_000_000):
            client.set(f"small:{number}", b"")
    with pytest.raises(LogUnavailable):
        append(log, source, b"refused")
    assert client.xlen(stream_key("", source, 0)) == 500


def test_redis_log_megabytes_limits_all_streams_together(full_url: str, client: redis.Redis) -> None:
    client.config_set("maxmemory", 0)
    log = open_log(ServiceSettings(redis_url=full_url, partitions=1, redis_log_megabytes=4), "test")
    large, small = a_topic(log), a_topic(log)
    append(log, small, *[b"%d" % number for number in range(500)])
    append(log, large, *[bytes(2000)] * 5_000)
    with log.processor(large, a_group()) as processor:

        def size() -> int:
            sizes = [client.memory_usage(stream_key("", topic, 0), samples=0) or 0 for topic in (large, small)]
            return sum(sizes)

        assert size() > 8 << 20
        assert until(lambda: size() <= 4 << 20, lambda: processor.poll(10, 0.1))
    assert client.xlen(stream_key("", small, 0)) == 500
    assert client.xlen(stream_key("", large, 0)) > 1000


def test_an_excess_smaller_than_a_node_of_the_stream_is_dropped_too(log: EventLog, client: redis.Redis) -> None:
    client.config_set("maxmemory", 0)
    source = a_topic(log)
    append(log, source, *[bytes(1900)] * 1_000)  # two in a node

    def size() -> int:
        return client.memory_usage(stream_key("", source, 0), samples=0) or 0

    most_bytes = size() - 100
    Trimmer(client, "", most_bytes).trim()
    assert 0.9 * most_bytes < size() <= most_bytes


def test_trimming_what_fits_drops_nothing(log: EventLog, client: redis.Redis) -> None:
    source = a_topic(log)
    append(log, source, *[b"%d" % number for number in range(5000)])
    Trimmer(client, "", None).trim()
    Trimmer(client, "", 100 << 20).trim()
    assert client.xlen(stream_key("", source, 0)) == 5000


@pytest.mark.parametrize(
    ("sizes", "total", "share"),
    [([10, 20, 30], 100, 30), ([10, 20, 30], 50, 20), ([10, 20, 30], 40, 15), ([30, 30, 30], 30, 10), ([], 5, 0)],
)
def test_large_streams_share_what_small_ones_leave(sizes: list[int], total: int, share: int) -> None:
    assert fair_share(sizes, total) == share
    assert sum(min(size, share) for size in sizes) <= total
