"""Rollups that no aggregate wrote: figures out of range, other types, floods. Live shows numbers or says why not."""

import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.live.page_cache import PageCache
from services.dashboard.sources.observations import Empty, Live, Malformed, Observation
from services.dashboard.sources.rollup_source import RollupSource
from shared.rollups.contract import AUDIENCE_ROWS, SNAPSHOT_ROWS, audience_key
from shared.rollups.writing import RollupWriter
from shared.runtime.redis_client import connect
from tests.support.samples.rollup import NOON_MS, publish, sample_rollup

Client = Any
KEYS = [
    *(audience_key("all", name) for name in AUDIENCE_ROWS),
    *(row.key for row in SNAPSHOT_ROWS.values()),
]
NUMBERS = [
    "-1",
    "9" * 17,
    "9" * 5000,
    "1e308",
    "nan",
    "inf",
    "-inf",
    "٣",
    "",
    " 1",
    "1_0",
    "0x1",
    "1.5",
    "9007199254740992",
]
EVENTS = [
    "[]", "{}", '{"timestamp": 1e308}', '{"timestamp": -%s}' % ("9" * 400), '{"timestamp": null, "ip": [1]}', "{",
    '{"timestamp": "x", "deviceType": {"a": 1}}', "[" * 5000, '{"timestamp": 9e15, "age": -1e300}',
    '{"timestamp": 1795348800000, "title": "%s"}' % ("<script>" * 5000),
]  # fmt: skip


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with connect(redis_url) as client:
        yield client


def observed(redis_url: str, most_reply_bytes: int = 4_000_000) -> Observation:
    """What Live reads, drawn without an error."""
    with connect(redis_url, most_reply_bytes=most_reply_bytes) as reader:
        source = RollupSource(reader, "", now_ms=lambda: NOON_MS, elapsed_seconds=lambda: 0.0)
        found = source.observe("all")
    pages = PageCache("redis", CategoryColours(), 1.0)
    page = pages.page(found, "all", "analyst", "light", "Europe/Berlin", NOON_MS + 500)
    assert len(zlib.compress(page.since(None))) < 200_000
    return found


def spoil(client: Client, key: str, chance: random.Random) -> None:
    """Write a lie of the key's own type."""
    kind = client.type(key)
    if kind == b"hash":
        names = [*client.hkeys(key), "2026-11-22T10:30:00Z", "foo", b"\xff", "9999-12-31T23:59:59Z"]
        client.hset(key, chance.choice(names), chance.choice(NUMBERS + EVENTS))
    elif kind == b"zset":
        client.zadd(
            key, {chance.choice(["p1", "x" * 9000, b"\xff", ""]): chance.choice(["inf", "-inf", 1e308, -1, 0.5])}
        )
    elif kind == b"list":
        client.lpush(key, chance.choice(EVENTS))
    else:
        client.xadd(key, {"created": chance.choice(NUMBERS), "msg": chance.choice([b"\xff", "<script>", "x" * 9000])})


def test_no_value_breaks_live(client: Client, redis_url: str, long: bool) -> None:
    chance = random.Random(3)
    for _ in range(5_000 if long else 60):
        client.flushall()
        publish(client, sample_rollup())
        client.xadd("state_logs", {"created": NOON_MS / 1000, "msg": "true"})
        for _ in range(chance.randint(1, 2)):
            spoil(client, chance.choice(KEYS), chance)
        assert isinstance(observed(redis_url), Live | Malformed | Empty)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_another_type_is_reported_and_replaced(client: Client, redis_url: str, key: str) -> None:
    publish(client, sample_rollup())
    kind = client.type(key)
    client.delete(key)
    if kind == b"list":
        client.set(key, "x")
    else:
        client.rpush(key, "x")
    found = observed(redis_url)
    assert isinstance(found, Live if key == "state_logs" else Malformed)
    with client.pipeline(transaction=True) as pipeline:
        RollupWriter(client, "").write(pipeline, sample_rollup())
        pipeline.execute()
    assert isinstance(observed(redis_url), Live)


def test_floods_and_bombs_are_not_read(client: Client, redis_url: str) -> None:
    publish(client, sample_rollup())
    client.zadd("rollup:all:pages:1h", {f"/{number}": number for number in range(20_000)})
    client.rpush("rollup:events:latest", *(['{"timestamp": 1795348800000}'] * 20_000))
    found = observed(redis_url)
    assert isinstance(found, Live)
    assert len(found.snapshot.windows.pages_1h) == 100
    assert len(found.snapshot.latest_events) <= 100
    client.xadd("state_logs", {"created": 1, "msg": b"x" * 5_000_000})
    assert isinstance(observed(redis_url), Live)  # without the log
    client.hset("rollup:all:views:1m", mapping={f"{number}": number for number in range(20_000)})
    assert isinstance(observed(redis_url), Malformed)
    client.delete("rollup:all:views:1m")
    client.hset("rollup:products:info", "p", b"x" * 5_000_000)
    assert isinstance(observed(redis_url), Malformed)
