"""Replicas, reports and leases that no replica of ours wrote: publishing pauses for seconds at most."""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest

from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.engine.windows import Windows
from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication
from services.aggregate.publishing.shares import packed
from services.aggregate.publishing.stall import STALL_SECONDS
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.presentation import published
from services.aggregate.rollups.report_exchange import ReportExchange
from services.aggregate.rollups.reports import PartitionReport, merge_reports
from services.aggregate.rollups.snapshot import Snapshot, snapshot_of, tables_of, with_tables
from services.aggregate.settings import AggregateSettings
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from tests.support.polling import eventually

Client = Any
NOW_S = 1_795_343_400
SECRET = "a secret of all replicas"


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with connect(redis_url) as client:
        yield client


def report(instant_s: int, partition: int = 0) -> PartitionReport:
    snapshot = replace(_empty(instant_s % 60, partition), now_s=instant_s)
    return PartitionReport(snapshot, 0, 0.0, 0, instant_s * 1000)


@cache  # it takes ten milliseconds
def _empty(second: int, partition: int) -> Snapshot:
    return snapshot_of(Windows(NOW_S + second), Dictionaries(), partition)


def publisher(client: Client, secret: str | None = None, name: str = "true") -> RedisPublisher:
    return RedisPublisher(client, AggregateSettings(cluster_secret=secret), name)


def publish(own: RedisPublisher, instant_s: int) -> None:
    own.publish(Publication(instant_s, {0: report(instant_s)}, [], {0: instant_s}))


def published_s(client: Client) -> int:
    snapshot = read(client, "all", "")
    return snapshot.meta.as_of_ms // 1000 if snapshot else 0


def pause(client: Client, own: RedisPublisher, attack: Callable[[int], object], instants: int = 12) -> int:
    """The longest age of the published rollup while `attack` precedes each publish, in seconds.

    It is 0 when nothing is amiss, and 1 when this machine paused for so long that the lease expired.
    """
    publish(own, NOW_S)
    ages = []
    for instant_s in range(NOW_S + 1, NOW_S + instants):
        attack(instant_s)
        publish(own, instant_s)
        ages.append(instant_s - published_s(client))
    assert ages[-1] <= 1, ages
    return max(ages)


# --- without a secret ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["one", "new"])
def test_a_replica_that_never_reports_costs_a_short_pause(client: Client, names: str) -> None:
    def announce(instant_s: int) -> None:
        client.hset("aggregate:replicas", "false" if names == "one" else f"false {instant_s}", instant_s)

    assert pause(client, publisher(client), announce) <= STALL_SECONDS + 1


def test_a_published_instant_ahead_of_ours_costs_a_short_pause(client: Client) -> None:
    assert pause(client, publisher(client), lambda s: client.set("aggregate:published", s + 9)) <= STALL_SECONDS + 1
    assert pause(client, publisher(client), lambda s: client.set("aggregate:published", s + 999)) <= 1


@pytest.mark.parametrize("value", ["false", "x" * 600, ""])
def test_a_lease_that_does_not_expire_is_taken_over(client: Client, value: str) -> None:
    assert pause(client, publisher(client), lambda _: client.set("aggregate:publisher", value)) <= 1


def test_a_lease_without_publishing_is_taken_over(client: Client) -> None:
    own = publisher(client)
    ages = []
    for instant_s in range(NOW_S, NOW_S + 40):
        client.set("aggregate:publisher", "false", px=1900)
        publish(own, instant_s)
        ages.append(instant_s - published_s(client))
    assert max(ages[20:]) <= 3


@pytest.mark.parametrize(
    "key",
    [
        "aggregate:publisher", "aggregate:replicas", "aggregate:published", "aggregate:acks", "rollup:meta",
        "rollup:segments", "rollup:all:views", "rollup:events:latest", "raw_data", f"aggregate:reports:{NOW_S + 5}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["string", "hash"])
def test_keys_of_other_types_are_replaced(client: Client, key: str, kind: str) -> None:
    def spoil(_: int) -> None:
        client.delete(key)
        match kind:
            case "string":
                client.set(key, "x")
            case "hash":
                client.hset(key, "foo", "bar")

    assert pause(client, publisher(client), spoil, instants=3) <= 1


def test_floods_of_replicas_are_removed(client: Client) -> None:
    def flood(instant_s: int) -> None:
        client.hset("aggregate:replicas", mapping={f"{instant_s} {number}": instant_s for number in range(1_500)})

    assert pause(client, publisher(client), flood, instants=5) <= 1
    assert client.hlen("aggregate:replicas") <= 1_500


@pytest.mark.parametrize("partitions", ["many", "-5", "9" * 5000, "9" * 8])
def test_a_false_number_of_partitions_is_ignored(client: Client, partitions: str) -> None:
    client.hset("rollup:meta", "partitions", partitions)
    publish(publisher(client), NOW_S)
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert snapshot.meta.partitions == 1


def test_false_segments_are_removed(client: Client) -> None:
    lies = {"foo": "bar", "2026-11-22T10:30:00Z:0": "x", "9999-12-31T23:59:00Z:7": 1, "٢026-11-22T10:30:00Z:1": 1}
    client.hset("rollup:segments", mapping=lies)
    publish(publisher(client), NOW_S)
    assert client.hgetall("rollup:segments") == {}


ALL_NAMES = msgspec.msgpack.encode({})
"""The acknowledgement of a publisher that has none."""


def encoded(own: PartitionReport) -> bytes:
    (data,) = ReportExchange().encode(min(own.snapshot.now_s, 2**31), {0: own}, ALL_NAMES).values()
    return data


def share_of(held: dict[int, tuple[int, bytes]]) -> bytes:
    return packed(msgspec.msgpack.encode(held))


def lies_about(honest: PartitionReport) -> Iterator[PartitionReport]:
    """Reports that decode, with a wrong shape, figure or instant."""
    snapshot = honest.snapshot
    for field in fields(Snapshot):
        value = getattr(snapshot, field.name)
        if isinstance(value, np.ndarray):
            empty = np.zeros((0,), np.int64)
            for wrong in (value[..., :-1], value[None], value.reshape(-1), value - 1, value + 2**60, empty):
                lie: dict[str, Any] = {field.name: wrong}
                yield replace(honest, snapshot=replace(snapshot, **lie))
    for number in (-1, 2**60):
        yield replace(honest, lag=number)
        yield replace(honest, snapshot=replace(snapshot, newest_event_ms=number))
        yield replace(honest, snapshot=replace(snapshot, event_counts=replace(snapshot.event_counts, late=number)))
    for rate in (float("nan"), float("inf"), -1.0):
        yield replace(honest, events_per_second=rate)
    yield replace(honest, snapshot=replace(snapshot, now_s=snapshot.now_s + 60))
    yield replace(honest, snapshot=replace(snapshot, now_s=2**40))


def test_no_report_stops_publishing(client: Client, long: bool) -> None:
    own = publisher(client)
    chance = random.Random(11)
    for instant_s, lie in enumerate(lies_about(report(NOW_S, 1)), NOW_S):
        honest = report(instant_s, 1)
        moved = replace(lie, snapshot=replace(lie.snapshot, now_s=instant_s)) if lie.snapshot.now_s == NOW_S else lie
        assert honest.snapshot.now_s == instant_s
        client.hset("aggregate:replicas", "false", instant_s)
        for held in (
            {1: (NOW_S, encoded(moved))},
            {2: (instant_s, b"\x81")},
            {1: (NOW_S, encoded(moved)), 2: (0, b"")},
        ):
            client.hset(f"aggregate:reports:{instant_s}", f"false {len(held)} {min(held)}", share_of(held))
        client.hset(f"aggregate:reports:{instant_s}", "false", share_of({1: (NOW_S, encoded(moved))}))
        publish(own, instant_s)
        assert instant_s - published_s(client) <= 1
        client.delete(f"aggregate:reports:{instant_s}")
    names = Names(["/a", "/b"])
    tables = {
        key: Popularity(Names([ProductVariant("p", "c", "t")] * 2) if "product" in key else names, own.events + 3)
        for key, own in tables_of(honest.snapshot).items()
        for own in [replace(own, events=np.ones((len(own.events), 2), np.int64))]
    }
    with_names = replace(honest, snapshot=with_tables(honest.snapshot, tables))
    for _ in range(20_000 if long else 300):
        spoilt = bytearray(encoded(with_names))
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        try:
            survivor = ReportExchange().decode(b"false", honest.snapshot.now_s, 0, bytes(spoilt)).take()
        except Exception:  # noqa: BLE001 - refused
            continue
        survivor = replace(survivor, snapshot=replace(survivor.snapshot, now_s=honest.snapshot.now_s))
        snapshot, meta = merge_reports({0: honest, 1: survivor}, 2, "x")
        published(snapshot, meta, expose_pii=False)


def test_a_report_bomb_is_not_read(client: Client, long: bool) -> None:
    def bomb(instant_s: int) -> None:
        client.hset("aggregate:replicas", "false", instant_s)
        client.hset(f"aggregate:reports:{instant_s}", "false", b"x" * (49 * 1024 * 1024))

    assert pause(client, publisher(client), bomb, instants=8 if long else 3) <= 1


# --- with a secret ---------------------------------------------------------------------------------------------------


def test_with_a_secret_nothing_unsigned_counts(client: Client) -> None:
    def lie(instant_s: int) -> None:
        client.set("aggregate:publisher", "false", px=1900)
        client.set("aggregate:published", instant_s + 5)
        client.hset("aggregate:replicas", "false", instant_s)
        client.hset("aggregate:acks", "true", msgspec.msgpack.encode((instant_s, ALL_NAMES)))
        stolen = share_of({0: (instant_s, encoded(replace(report(instant_s), lag=99)))})
        client.hset(f"aggregate:reports:{instant_s}", "false", stolen)

    assert pause(client, publisher(client, SECRET), lie, instants=5) <= 1
    snapshot = read(client, "all", "")
    assert snapshot is not None
    assert snapshot.meta.lag == 0


def test_with_a_secret_what_was_signed_before_is_worth_nothing_later(client: Client) -> None:
    own = publisher(client, SECRET)
    other = publisher(client, SECRET, "other")
    publish(own, NOW_S)
    other.publish(Publication(NOW_S, {1: report(NOW_S, 1)}, [], {1: NOW_S}))
    publish(own, NOW_S + 1)
    shares = client.hgetall(f"aggregate:reports:{NOW_S}")
    announced = client.hget("aggregate:replicas", "other")

    def replay(instant_s: int) -> None:
        client.hset("aggregate:replicas", mapping={"other": announced, "third": announced})
        client.hset(f"aggregate:reports:{instant_s}", mapping={**shares, "third": shares[b"other"]})

    for instant_s in range(NOW_S + 3, NOW_S + 6):
        replay(instant_s)
        publish(own, instant_s)
        snapshot = read(client, "all", "")
        assert snapshot is not None
        assert instant_s - snapshot.meta.as_of_ms // 1000 <= 1
        assert snapshot.meta.partitions == 1


def test_replicas_with_the_same_secret_publish_together(client: Client) -> None:
    own, other = publisher(client, SECRET), publisher(client, SECRET, "other")
    instants = iter(range(NOW_S, NOW_S + 1_000))

    def has_both() -> bool:
        instant_s = next(instants)
        other.publish(Publication(instant_s, {1: report(instant_s, 1)}, [], {1: instant_s}))
        publish(own, instant_s)
        snapshot = read(client, "all", "")
        return snapshot is not None and snapshot.meta.partitions == 2

    eventually(has_both, "a rollup of both")
