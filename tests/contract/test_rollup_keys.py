"""The Redis contract between publisher and readers, on fakeredis and on a real Valkey."""

import io
import json
from dataclasses import asdict, replace
from typing import Any

import fakeredis
import pandas as pd
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rollups.commerce import Revenue
from shared.rollups.contract import (
    AUDIENCE_ROWS,
    NATIVE_CONTRACT,
    PREVIOUS_ROWS,
    SEED_CONTRACT,
    SEED_ROWS,
    SITE_ROWS,
    STATE_LOG_KEY,
    Rollup,
)
from shared.rollups.model import AUDIENCES, Audience, MalformedRollup, Sessions, StateLogEntry
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.reading import ask, read
from shared.rollups.rows import Row
from shared.rollups.segment_keys import SEGMENTS_KEY
from shared.rollups.writing import RollupWriter, write_row
from shared.runtime.redis_client import connect
from tests.support.samples.rollup import NOON_MS, publish, sample_rollup

RISING_BY_INFINITY = '{"member": "/a", "events": 1, "expected": 0.1, "score": -1e999}'
Client = Any  # redis-py's stubs make every reply an awaitable or a value


def same_order(counts: Any) -> list[tuple[Any, int]]:
    return list((asdict(counts) if isinstance(counts, Sessions | Revenue) else counts).items())


@pytest.mark.parametrize("prefix", ["", "shop:"])
@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_snapshot_is_read_back_in_the_order_written(client: Client, audience: Audience, prefix: str) -> None:
    rollup = sample_rollup()
    publish(client, rollup, prefix)
    snapshot = read(client, audience, prefix)
    assert snapshot is not None
    assert snapshot.meta == rollup.meta
    for name in rollup.audiences[audience].__dataclass_fields__:
        written = getattr(rollup.audiences[audience], name)
        assert same_order(getattr(snapshot.windows, name)) == same_order(written), name
    assert snapshot.products_info == rollup.products_info
    assert snapshot.latest_visitors == rollup.latest_visitors
    assert snapshot.latest_events == rollup.latest_events
    assert snapshot.offsets == rollup.offsets
    assert snapshot.state_log == []


def values_by_key() -> dict[str, Any]:
    """A value for each row of the contract, by its key."""
    rollup = sample_rollup()
    values = {row.key: getattr(rollup, name) for name, row in SITE_ROWS.items()}
    values |= {row.key: getattr(rollup.audiences["all"], name) for name, row in AUDIENCE_ROWS.items()}
    values |= {row.key: rollup.audiences["all"].previous[name] for name, row in PREVIOUS_ROWS.items()}
    values |= {row.key: getattr(rollup.seed, name) for name, row in SEED_ROWS.items()}
    values[PROOF_ROW.key] = Proof(result="equal", at_ms=5, as_of_ms=4, keys=3, figures=2, events=1, seconds=0.5)
    values[SEGMENTS_KEY] = {"2026-11-22T10:30:00Z:0": 1}
    values["segment:<minute>:<partition>"] = b"ARROW1\x00"
    values[STATE_LOG_KEY] = [StateLogEntry(created=2.5, message="second"), StateLogEntry(created=1.0, message="first")]
    return values


@pytest.mark.parametrize("row", NATIVE_CONTRACT + SEED_CONTRACT, ids=lambda row: row.key)
def test_each_row_of_the_table_is_read_back_as_written(client: Client, row: Row) -> None:
    value = values_by_key()[row.key]
    assert row.codec.encode(value), "an empty sample proves nothing"
    with client.pipeline(transaction=True) as pipeline:
        write_row(pipeline, row.key, row, value)
        ask(pipeline, row.key, row)
        reply = pipeline.execute()[-1]
    is_frame = row in SEED_ROWS.values()
    assert row.codec.decode(reply) == (json.loads(row.codec.encode(value)) if is_frame else value)
    assert client.type(row.key).decode() == row.codec.type


def test_each_key_has_one_row() -> None:
    keys = [row.key for row in NATIVE_CONTRACT + SEED_CONTRACT]
    assert len(set(keys)) == len(keys)


COUNTS = st.integers(min_value=0, max_value=2**53)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=25)
@given(products=st.dictionaries(NAMES, COUNTS, max_size=8), title=NAMES, events_read=COUNTS, rate=st.floats(0, 1e9))
def test_any_name_and_any_count_are_read_back(
    products: dict[str, int], title: str, events_read: int, rate: float
) -> None:
    rollup = sample_rollup(read=events_read, events_per_second=rate)
    windows = replace(rollup.audiences["all"], products_1h=products)
    info = {product: {"title": title, "category": None} for product in products}
    rollup = replace(rollup, audiences={**rollup.audiences, "all": windows}, products_info=info)
    fake = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    publish(fake, rollup)
    snapshot = read(fake, "all", "")
    assert snapshot is not None
    ranked = sorted(products.items(), key=lambda item: (-item[1], item[0].encode()))
    assert same_order(snapshot.windows.products_1h) == ranked
    assert snapshot.products_info == info
    assert (snapshot.meta.read, snapshot.meta.events_per_second) == (events_read, rate)


def test_read_returns_none_before_the_first_publish(client: Client) -> None:
    assert read(client, "all", "") is None


def test_two_sites_share_a_redis_under_two_prefixes(client: Client) -> None:
    publish(client, sample_rollup(read=1), "one:")
    publish(client, sample_rollup(read=2), "two:")
    reads = [read(client, "all", prefix) for prefix in ("one:", "two:")]
    assert [snapshot.meta.read for snapshot in reads if snapshot] == [1, 2]


def test_a_publish_removes_the_entries_of_the_previous_one(client: Client) -> None:
    before = sample_rollup()
    windows = replace(before.audiences["all"], products_1h={"p9": 1}, views_1m={NOON_MS: 7})
    after = replace(before, audiences={**before.audiences, "all": windows}, latest_events=before.latest_events[:2])
    publish(client, before)
    publish(client, after)
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert snapshot.windows.products_1h == {"p9": 1}
    assert snapshot.windows.views_1m == {NOON_MS: 7}
    assert len(snapshot.latest_events) == 2


def test_the_state_log_is_read_newest_first_and_at_most_ten(client: Client) -> None:
    publish(client, sample_rollup())
    for second in range(12):
        client.xadd("state_logs", {"created": 1_795_348_800.5 + second, "msg": f"step {second}"})
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert [entry.message for entry in snapshot.state_log] == [f"step {second}" for second in range(11, 1, -1)]
    assert snapshot.state_log[0].created == 1_795_348_811.5


@pytest.mark.parametrize(
    ("key", "spoil"),
    [
        (
            "rollup:all:views",
            lambda client: client.delete("rollup:all:views") and client.set("rollup:all:views", "text"),
        ),
        ("rollup:all:views", lambda client: client.hset("rollup:all:views", "5m", "many")),
        ("rollup:all:views:1m", lambda client: client.hset("rollup:all:views:1m", "noon", 1)),
        ("rollup:all:products:1h", lambda client: client.zadd("rollup:all:products:1h", {"p1": float("inf")})),
        ("rollup:all:categories:1h", lambda client: client.zadd("rollup:all:categories:1h", {b"\xff\xfe": 1})),
        ("rollup:products:info", lambda client: client.hset("rollup:products:info", "p1", "[1, 2]")),
        ("rollup:all:revenue", lambda client: client.hset("rollup:all:revenue", "revenue_1h", "1e9")),
        ("rollup:all:revenue", lambda client: client.hdel("rollup:all:revenue", "orders_8h")),
        ("rollup:all:revenue:1m", lambda client: client.hset("rollup:all:revenue:1m", "2026-11-22T12:00:00Z", "NaN")),
        ("rollup:all:revenue:currencies", lambda client: client.hset("rollup:all:revenue:currencies", "USD", "{}")),
        ("rollup:all:revenue:products:1h", lambda client: client.lpush("rollup:all:revenue:products:1h", "{}")),
        ("rollup:all:goals", lambda client: client.hset("rollup:all:goals", "Purchase", "{}")),
        ("rollup:all:goals:1m", lambda client: client.hset("rollup:all:goals:1m", "2026-11-22T12:00:00Z", '{"a": -1}')),
        ("rollup:all:rising:pages", lambda client: client.lpush("rollup:all:rising:pages", "{}")),
        ("rollup:all:rising:pages", lambda client: client.lpush("rollup:all:rising:pages", RISING_BY_INFINITY)),
        ("rollup:all:pages:1h:prev", lambda client: client.zadd("rollup:all:pages:1h:prev", {"/a": float("inf")})),
        ("rollup:events:latest", lambda client: client.lpush("rollup:events:latest", "{broken")),
        ("rollup:visitors:latest", lambda client: client.lpush("rollup:visitors:latest", "[]")),
        ("rollup:meta", lambda client: client.hdel("rollup:meta", "lag")),
        ("rollup:meta", lambda client: client.hset("rollup:meta", "as_of_ms", "9" * 30)),
        ("rollup:meta", lambda client: client.hset("rollup:meta", "schema", "99")),
        ("state_logs", lambda client: client.xadd("state_logs", {"created": "now"})),
    ],
)
def test_a_key_that_breaks_the_contract_is_named(client: Client, key: str, spoil: Any) -> None:
    publish(client, sample_rollup())
    assert read(client, "all", "") is not None
    spoil(client)
    with pytest.raises(MalformedRollup, match=key):
        read(client, "all", "")


def test_a_missing_permission_is_not_a_malformed_rollup(redis_url: str) -> None:
    with connect(redis_url) as client:
        publish(client, sample_rollup())
        admin: Client = client
        admin.acl_setuser("reader", enabled=True, nopass=True, keys=["other:*"], commands=["+@all"])
        try:
            with (
                connect(redis_url.replace("redis://", "redis://reader:any@")) as reader,
                pytest.raises(redis.exceptions.NoPermissionError),
            ):
                read(reader, "all", "")
        finally:
            admin.acl_deluser("reader")


# --- the seed keys, as the template's dashboard reads them ------------------------------------------------------------

SEED_COLUMNS = {
    "last_15_minutes": ["datetime", "count"],
    "sessions": ["datetime", "userId", "count"],
    "device_type_popularity": ["Device", "Device type", "Total"],
    "products_last_hour": ["productId", "category", "count"],
    "latest_visitors": ["Relative Time", "Date and Time", "ip", "country"],
    "category_popularity": ["category", "count"],
    "raw_data": [
        "timestamp", "original_timestamp", "userId", "ip", "userAgent", "productId", "category", "title", "gender",
        "country", "deviceType", "browser", "operatingSystem", "site", "age", "birthdate", "datetime",
    ],
}  # fmt: skip


def seed_frame(client: Client, key: str) -> pd.DataFrame:
    return pd.read_json(io.StringIO(client.get(key).decode()))


def test_pandas_reads_the_seed_keys_with_their_columns(client: Client) -> None:
    publish(client, sample_rollup())
    assert {key: list(seed_frame(client, key).columns) for key in SEED_COLUMNS} == SEED_COLUMNS
    assert {key: len(seed_frame(client, key)) for key in SEED_COLUMNS} == {
        "last_15_minutes": 15,
        "sessions": 17,
        "device_type_popularity": 4,
        "products_last_hour": 10,
        "latest_visitors": 10,
        "category_popularity": 3,
        "raw_data": 100,
    }


def test_the_seed_keys_hold_the_numbers_of_the_rollup(client: Client) -> None:
    rollup = sample_rollup()
    publish(client, rollup)
    minutes = seed_frame(client, "last_15_minutes")
    # pandas parses the column as instants because of its name.
    assert list(minutes["datetime"]) == [pd.Timestamp(start, unit="ms") for start in rollup.seed.visits_15m]
    assert list(minutes["count"]) == list(rollup.seed.visits_15m.values())
    assert json.loads(client.get("last_15_minutes"))["datetime"]["14"] == NOON_MS
    sessions = seed_frame(client, "sessions")
    assert list(sessions["userId"]) == list(sessions["count"]) == list(rollup.seed.users_30m.values())
    devices = seed_frame(client, "device_type_popularity")
    assert list(zip(devices["Device type"], devices["Total"], strict=True)) == [
        ("Desktop", 70), ("Tablet", 5), ("Mobile", 60), ("Other", 7),  # bots are Other, as in the template
    ]  # fmt: skip
    assert list(seed_frame(client, "category_popularity")["category"]) == ["Books", "Home & Garden", "Toys"]
    visitors = seed_frame(client, "latest_visitors")
    assert visitors["Relative Time"][0] == "0 seconds ago"
    assert visitors["ip"][3] == "203.0.3.0"
    raw = seed_frame(client, "raw_data")
    assert list(raw["userId"][:2]) == ["visitor-0", "visitor-1"]
    assert raw["birthdate"].isna().all()


def test_a_window_without_events_is_an_empty_frame(client: Client) -> None:
    rollup = sample_rollup()
    seed = replace(rollup.seed, device_events_10m={}, products_1h=[], categories_1h=[], latest_visitors=[], raw_data=[])
    publish(client, replace(rollup, seed=seed))
    for key in ("device_type_popularity", "products_last_hour", "latest_visitors", "category_popularity", "raw_data"):
        frame = seed_frame(client, key)
        assert (len(frame), list(frame.columns)) == (0, SEED_COLUMNS[key])


def test_every_key_expires_a_day_after_its_last_publish(client: Client) -> None:
    publish(client, sample_rollup(), "site:")
    keys = [key.decode() for key in client.keys("*")]
    assert all(key.startswith("site:") for key in keys)
    assert {f"site:{key}" for key in SEED_COLUMNS} < set(keys)
    for key in keys:
        assert 24 * 3600 - 60 < client.ttl(key) <= 24 * 3600, key


def test_a_reader_never_sees_half_a_publish(client: Client) -> None:
    def with_count(number: int) -> Rollup:
        rollup = sample_rollup(read=number)
        windows = replace(rollup.audiences["all"], visitors={"5m": number})
        return replace(rollup, audiences={**rollup.audiences, "all": windows})

    publish(client, with_count(1))
    pipeline = client.pipeline(transaction=True)
    RollupWriter(client, "").write(pipeline, with_count(2))
    during = read(client, "all", "")
    pipeline.execute()
    after = read(client, "all", "")
    assert during is not None
    assert after is not None
    assert (during.meta.read, during.windows.visitors["5m"]) == (1, 1)
    assert (after.meta.read, after.windows.visitors["5m"]) == (2, 2)


LARGE_KEYS = ("rollup:events:latest", "raw_data")


def written(client: Client, writer: RollupWriter, rollup: Rollup) -> bool:
    """Publish, and return whether the large values were written and not only kept."""
    writer.verify()
    pipeline = client.pipeline(transaction=True)
    writer.write(pipeline, rollup)
    names = [(command[0][0], key) for command in pipeline.command_stack for key in command[0][1:2] if key in LARGE_KEYS]
    pipeline.execute()
    writer.confirm()
    assert {key for _, key in names} == set(LARGE_KEYS)
    kinds = {name for name, _ in names}
    assert kinds in ({"EXPIRE"}, {"EXPIRE", "RPUSH", "SET"})
    return kinds != {"EXPIRE"}


def test_latest_events_are_written_only_when_they_change(client: Client) -> None:
    writer, rollup = RollupWriter(client, ""), sample_rollup()
    assert written(client, writer, rollup)
    for key in LARGE_KEYS:
        client.expire(key, 100)
    assert not written(client, writer, sample_rollup(read=7))
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert (snapshot.meta.read, snapshot.latest_events) == (7, rollup.latest_events)
    assert all(client.ttl(key) > 24 * 3600 - 60 for key in LARGE_KEYS)  # renewed
    fewer = rollup.latest_events[1:]
    assert written(client, writer, replace(rollup, latest_events=fewer, seed=replace(rollup.seed, raw_data=fewer)))
    assert len(client.lrange(LARGE_KEYS[0], 0, -1)) == len(fewer)


@pytest.mark.parametrize("loss", ["flush", "other type", "shorter", "another publisher", "failed publish"])
def test_latest_events_are_written_again_after_a_loss(client: Client, loss: str) -> None:
    writer, rollup = RollupWriter(client, ""), sample_rollup()
    assert written(client, writer, rollup)
    match loss:
        case "flush":
            client.flushdb()
        case "other type":
            client.delete(*LARGE_KEYS)
            client.hset(LARGE_KEYS[0], "foo", "bar")
        case "shorter":
            client.lpop(LARGE_KEYS[0])
        case "another publisher":
            writer.forget()
        case "failed publish":
            writer.write(client.pipeline(transaction=True), rollup)  # never executed, or nobody knows whether
    assert written(client, writer, rollup)
    assert not written(client, writer, rollup)
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert snapshot.latest_events == rollup.latest_events


def test_latest_events_that_have_gone_are_removed(client: Client) -> None:
    writer, rollup = RollupWriter(client, ""), sample_rollup()
    assert written(client, writer, rollup)
    pipeline = client.pipeline(transaction=True)
    writer.write(pipeline, replace(rollup, latest_events=[], seed=replace(rollup.seed, raw_data=[])))
    pipeline.execute()
    assert client.lrange(LARGE_KEYS[0], 0, -1) == []


def test_the_state_log_is_in_time_order_whoever_wrote_it() -> None:
    client = fakeredis.FakeRedis()
    publish(client, sample_rollup())
    for created in (10.0, 30.5, 20.0):  # several replicas of detect, one of them late
        client.xadd("state_logs", {"created": created, "msg": f"at {created}"})
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert [entry.created for entry in snapshot.state_log] == [30.5, 20.0, 10.0]


def test_an_unknown_lag_is_read_as_one() -> None:
    client = fakeredis.FakeRedis()
    publish(client, sample_rollup(lag=None))
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert snapshot.meta.lag is None
