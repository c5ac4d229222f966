"""`clickpulse forget` on a running site: the numbers become those of a log that never held the visitor's past."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.events.raw import encode_raw
from shared.events.schema import EnrichedEvent, RawEvent
from shared.privacy.erasures import token_of
from shared.privacy.keys import VISITOR_KEYS
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from shared.streams.event_log import NewRecord
from tests.pipeline.test_replicas import Site
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.publish_check import assert_published
from tests.support.polling import eventually
from tests.support.samples.enriched import events

USER = "user 7"


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "services.cli", *arguments]
    with subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def erased_until_ms(client: Any) -> int:
    return int(client.hget("privacy:erasures", token_of(USER)).split()[0])


def left(log: list[Arrived], until_ms: int) -> list[Arrived]:
    return [a for a in log if a.event.userId != USER or min(a.event.timestamp, a.arrival_ms) > until_ms]


def published_whole(client: Any, partitions: int, read_count: int) -> None:
    since_ms = time.time() * 1000 + 2500

    def whole() -> bool:
        snapshot = read(client, "all", "")
        meta = snapshot.meta if snapshot is not None else None
        return (
            meta is not None
            and meta.as_of_ms > since_ms
            and (meta.partitions, meta.lag, meta.coverage_1h_s, meta.read) == (partitions, 0, 3600, read_count)
        )

    eventually(whole, "everything that is left is published", 120)


def keys_that_hold(client: Any, text: str) -> set[str]:
    """The keys whose name or content has the text."""
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    found = set()
    for key in client.keys("*"):
        content = readers[client.type(key)](key) if client.exists(key) else None
        if text in key.decode() or text in repr(content):
            found.add(key.decode())
    return found


def assert_listed(client: Any, keys: set[str]) -> None:
    """Every key is in the table of docs/privacy.md, and expires unless the table says otherwise."""
    assert {"rollup:events:latest", "raw_data", "click-data:0", "enriched-click-data:0"} <= keys
    for key in keys:
        (row,) = [
            row for row in VISITOR_KEYS
            if re.fullmatch(re.sub("<[a-zA-Z]+>", "[^:]+", re.escape(row.key).replace(r"\-", "-")), key)
        ]  # fmt: skip
        assert client.ttl(key) > 0 or row.expires in {"never by itself", "with the topic's retention"}, key


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rebuild_that_is_killed_ends_without_the_visitor(kafka_broker: str, redis_url: str, tmp_path: Path) -> None:
    chance = random.Random()  # nothing may depend on when
    site = Site(kafka_broker, redis_url, tmp_path, partitions=2)
    environment = {
        "REDIS_URL": redis_url, "KAFKA_BROKER": kafka_broker, "ENRICHED_TOPIC": site.topic, "RAW_TOPIC": site.raw_topic
    }  # fmt: skip
    site.produce(events(21, 2000, int(time.time() * 1000)))
    with site.replica("a") as replica:
        site.caught_up()
        set_aside = tmp_path / "a" / site.topic / "0.set-aside-1"
        set_aside.mkdir()  # of an earlier release
        with running(environment, "forget", USER, "--wait", "200") as forget:
            eventually(lambda: site.client.exists("privacy:erasures"), "the erasure")
            time.sleep(chance.uniform(0.5, 3.0))
            replica.send_signal(signal.SIGKILL)
            with site.replica("a"):
                time.sleep(chance.uniform(1.0, 4.0))  # starting, deleting or rebuilding; then killed
            with site.replica("a"):
                report, _ = forget.communicate()
                assert forget.returncode == 0
                assert "erased in all 2 partitions" in report
                assert "expire by" in report  # Kafka deletes by age only
                log = site.arrived(2000)
                remaining = left(log, erased_until_ms(site.client))
                assert len(remaining) < len(log)
                published_whole(site.client, 2, len(remaining))
                assert_published(site.client, remaining)
                assert not set_aside.exists()
                now_ms = int(time.time() * 1000)
                site.produce([EnrichedEvent(timestamp=now_ms + n, userId=USER, productId="p1") for n in range(3)])
                published_whole(site.client, 2, len(remaining) + 3)
                assert_published(site.client, left(site.arrived(2003), erased_until_ms(site.client)))


def test_enrich_leaves_out_the_visitors_past_and_takes_the_present(redis_url: str, tmp_path: Path) -> None:
    environment = {"REDIS_URL": redis_url, "STATE_DIR": str(tmp_path), "PARTITIONS": "1", "LOG_FORMAT": "json"}
    client: Any = connect(redis_url)
    earlier_ms = int(time.time() * 1000) - 5000

    def click(user: str, timestamp_ms: int) -> None:
        with open_log(ServiceSettings(redis_url=redis_url, partitions=1), "test").producer() as producer:
            value = encode_raw(RawEvent(timestamp=timestamp_ms, userId=user))
            producer.send([NewRecord("click-data", user.encode(), value)])

    def enriched() -> list[bytes]:
        return [fields[b"k"] for _, fields in client.xrange("enriched-click-data:0")]

    with running(environment, "enrich"), running(environment, "aggregate"):
        for user in (USER, "bob", USER):
            click(user, earlier_ms)
        published_whole(client, 1, 3)
        assert_listed(client, keys_that_hold(client, USER))
        with running(environment, "forget", USER, "--wait", "200") as forget:
            report, _ = forget.communicate()
            assert forget.returncode == 0
            assert "erased in all 1 partitions" in report
        assert enriched() == [b"bob"]
        published_whole(client, 1, 1)
        assert keys_that_hold(client, USER) == set()
        click(USER, earlier_ms)  # say, a dead letter that is replayed
        click(USER, int(time.time() * 1000))
        published_whole(client, 1, 2)
        assert enriched() == [b"bob", USER.encode()]
        assert client.exists("rollup:visitors:latest")
