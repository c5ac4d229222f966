"""Lookups in a fake and a real Redis: enrich finds what `load-lookups` writes, soon and with few round trips."""

import gzip
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import fakeredis
import pytest
import redis

from services.enrich.lookup_files.fields import PRODUCTS, VISITORS, Kind
from services.enrich.lookup_files.loader import Loader, Summary
from services.enrich.lookup_files.rows import UnreadableFile
from services.enrich.lookups.catalogue import UNKNOWN_PRODUCT, UNKNOWN_VISITOR, ProductFacts, VisitorFacts
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.privacy.lookup_names import LookupNames
from shared.events.schema import RawEvent
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import token_of
from shared.privacy.rotation import derived_salt, period_of, pseudonym_of
from shared.runtime.redis_client import connect

PREFIX = "shop[1]*:"  # with characters that SCAN patterns use
ENTRIES = 4


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["fakeredis", "valkey"])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis()
        return
    with connect(request.getfixturevalue("redis_url")) as real:
        yield real


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookups(client: redis.Redis, clock: Clock) -> Lookups:
    return Lookups(client, PREFIX, found_seconds=45, missing_seconds=10, cache_entries=ENTRIES, clock=clock)


def click(user_id: str = "ada", product_id: str | None = None) -> RawEvent:
    return RawEvent(timestamp=1_790_000_000_123, userId=user_id, productId=product_id)


def store(client: redis.Redis, key: str, **fields: str) -> None:
    client.hset(PREFIX + key, mapping=fields)  # type: ignore[arg-type]  # it takes text


def commands_sent(client: redis.Redis) -> int:
    info: Any = client.info("commandstats")
    return int(info.get("cmdstat_hmget", {"calls": 0})["calls"])


def reads_of_server(client: redis.Redis) -> int:
    info: Any = client.info("stats")
    return int(info["total_reads_processed"])


def test_known_and_unknown_ids_are_distinguished(client: redis.Redis, lookups: Lookups) -> None:
    store(client, "product:V1", cat="vases", title="Größe 2")
    store(client, "product:V2", cat="vases")
    store(client, "visitor:ada", gender="F", birthday="1990-09-22")
    lookups.learn([click("ada", "V1"), click("bea", "V2"), click("cleo", "V3"), click("cleo")])
    assert dict(lookups.products) == {
        "V1": ProductFacts("vases", "Größe 2"),
        "V2": ProductFacts("vases", "Unknown"),
        "V3": UNKNOWN_PRODUCT,
    }
    assert dict(lookups.visitors) == {
        "ada": VisitorFacts("F", "1990-09-22", 19900922),
        "bea": UNKNOWN_VISITOR,
        "cleo": UNKNOWN_VISITOR,
    }


def test_events_that_miss_the_cache_are_counted_once_asked(lookups: Lookups) -> None:
    lookups.learn([click("ada", "p1"), click("ada", "p1"), click("bob")])
    assert lookups.missed == 3
    lookups.learn([click("ada", "p1"), click("bob"), click("cyd")])
    assert lookups.missed == 4


def test_changed_product_is_seen_when_its_entry_expires(client: redis.Redis, lookups: Lookups, clock: Clock) -> None:
    store(client, "product:V1", cat="vases", title="old")
    lookups.learn([click("ada", "V1")])
    store(client, "product:V1", title="new")
    clock.now += 44
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"].title == "old"
    clock.now += 1
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"].title == "new"


def test_new_product_is_seen_sooner_than_a_changed_one(client: redis.Redis, lookups: Lookups, clock: Clock) -> None:
    lookups.learn([click("ada", "V1")])
    store(client, "product:V1", cat="vases", title="new")
    clock.now += 9
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"] == UNKNOWN_PRODUCT
    clock.now += 1
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"].title == "new"


def test_cache_is_bounded_and_a_batch_may_be_larger(client: redis.Redis, lookups: Lookups) -> None:
    crowd = [f"user{number}" for number in range(100)]
    for user in crowd:
        store(client, f"visitor:{user}", gender="M")
    lookups.learn([click(user) for user in crowd])
    assert all(lookups.visitors[user].gender == "M" for user in crowd)
    lookups.learn([click("unknown", "V1")])
    assert len(lookups.visitors) == ENTRIES + 1
    lookups.learn([click("user0")])
    assert lookups.visitors["user0"].gender == "M"


def test_long_texts_of_a_product_are_shortened(client: redis.Redis, lookups: Lookups) -> None:
    store(client, "product:V1", cat="c" * 4_000, title="\u00f6" * 2_000)
    store(client, "visitor:ada", gender="F" * 4_000, birthday="1990-09-22 " + "x" * 4_000)
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"] == ProductFacts("c" * 509 + "…", "\u00f6" * 254 + "…")
    assert lookups.visitors["ada"] == VisitorFacts("F", "1990-09-22", 19900922)


def test_key_of_another_type_is_not_a_lookup(client: redis.Redis, lookups: Lookups) -> None:
    client.set(PREFIX + "product:V1", "somebody else's")
    store(client, "visitor:ada", gender="F")
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"] == UNKNOWN_PRODUCT
    assert lookups.visitors["ada"].gender == "F"


def test_unavailable_redis_leaves_the_cache_unchanged(clock: Clock) -> None:
    server = fakeredis.FakeServer()
    lookups = Lookups(
        fakeredis.FakeRedis(server=server),
        PREFIX,
        found_seconds=45,
        missing_seconds=10,
        cache_entries=ENTRIES,
        clock=clock,
    )
    lookups.learn([click("ada")])
    server.connected = False
    lookups.learn([click("ada")])  # cached: asks nothing
    with pytest.raises(redis.exceptions.ConnectionError):
        lookups.learn([click("bea")])
    assert set(lookups.visitors) == {"ada"}
    server.connected = True
    lookups.learn([click("bea")])
    assert set(lookups.visitors) == {"ada", "bea"}


def test_batch_asks_once_for_each_unknown_id_in_one_round_trip(redis_url: str, clock: Clock) -> None:
    with connect(redis_url) as client:
        client.config_resetstat()
        lookups = Lookups(client, "", found_seconds=45, missing_seconds=10, cache_entries=1000, clock=clock)
        batch = [click(f"user{number % 50}", f"V{number % 20}") for number in range(500)]
        lookups.learn(batch)
        assert commands_sent(client) == 70
        lookups.learn(batch)
        assert commands_sent(client) == 70
        reads = reads_of_server(client)
        lookups.learn([click(f"new{number}") for number in range(100)])
        # The server reads each of our writes once, or twice if the kernel splits it. Asking for the count is one more.
        assert reads_of_server(client) - reads <= 3


def load(
    client: redis.Redis, kind: Kind, path: Path, rows: list[dict[str, Any]], *, is_pruned: bool = False
) -> Summary:
    path.write_text("\n".join(map(json.dumps, rows)))
    return Loader(client, PREFIX, "here", Event()).load(kind, path, is_pruned=is_pruned)


def contents(client: redis.Redis) -> dict[bytes, Any]:
    keys = list(client.scan_iter(count=1000))
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.hgetall(key)
    return dict(zip(keys, pipeline.execute(), strict=True))


def test_loaded_rows_are_found(client: redis.Redis, lookups: Lookups, tmp_path: Path) -> None:
    load(client, PRODUCTS, tmp_path / "products", [{"id": "V1", "category": "vases", "title": "Blue"}])
    load(client, VISITORS, tmp_path / "visitors", [{"userId": "ada", "gender": "F", "birthDate": "1990-09-22"}])
    lookups.learn([click("ada", "V1")])
    assert lookups.products["V1"] == ProductFacts("vases", "Blue")
    assert lookups.visitors["ada"] == VisitorFacts("F", "1990-09-22", 19900922)


@pytest.mark.parametrize("secret", [None, "a secret of some length"])
def test_hashed_visitors_are_found_under_names_that_hold_no_id(
    client: redis.Redis, clock: Clock, tmp_path: Path, secret: str | None
) -> None:
    path = tmp_path / "visitors"
    path.write_text('[{"userId": "ada", "gender": "F"}, {"userId": "bea", "gender": "M"}]')
    Loader(client, PREFIX, "here", Event()).load(VISITORS, path, is_pruned=False)  # before HASH_USER_ID was on
    loader = Loader(client, PREFIX, "here", Event(), names=LookupNames(client, PREFIX, secret))
    assert loader.load(VISITORS, path, is_pruned=True)[:3] == (2, Counter(), 2)
    keys = {key.decode() for key in client.scan_iter(count=1000)}
    assert not any("ada" in key or "bea" in key for key in keys)
    assert (f"{PREFIX}enrich:lookup-key" in keys) == (secret is None)
    if secret is not None:
        salts = [derived_salt(secret, period_of(clock_ms, "daily")) for clock_ms in (0, 1_790_000_000_123)]
        assert not any(pseudonym_of("ada", salt) in key for salt in salts for key in keys)
    # Another process, as enrich is.
    lookups = Lookups(
        client,
        PREFIX,
        found_seconds=45,
        missing_seconds=10,
        cache_entries=ENTRIES,
        clock=clock,
        names=LookupNames(client, PREFIX, secret),
    )
    lookups.learn([click("ada"), click("bea"), click("cia")])
    assert [lookups.visitors[user].gender for user in ("ada", "bea", "cia")] == ["F", "M", "U"]


@pytest.mark.parametrize("key", [b"", b"a secret"])
def test_a_forgotten_visitor_is_not_loaded_again(client: redis.Redis, tmp_path: Path, key: bytes) -> None:
    now_ms = time.time_ns() // 1_000_000
    ErasureList(client, PREFIX).erase([token_of("ada", key)], now_ms, kept_ms=3_600_000)
    path = tmp_path / "visitors"
    path.write_text('[{"userId": "ada", "gender": "F"}, {"userId": "bea", "gender": "F"}]')
    loader = Loader(client, PREFIX, "here", Event(), erasure_key=key)
    summary = loader.load(VISITORS, path, is_pruned=False)
    assert (summary.loaded, dict(summary.refused)) == (1, {"the visitor was forgotten; remove it from the file": 1})
    assert client.exists(f"{PREFIX}visitor:ada") == 0
    path.write_text('[{"id": "ada", "title": "Ada"}]')  # a product of that name
    assert loader.load(PRODUCTS, path, is_pruned=False).loaded == 1


def test_loading_again_changes_nothing_and_a_changed_row_replaces(client: redis.Redis, tmp_path: Path) -> None:
    rows = [{"id": f"V{number}", "category": "vases", "title": "Blue"} for number in range(5100)]
    path = tmp_path / "products"
    assert load(client, PRODUCTS, path, rows).loaded == 5100
    before = contents(client)
    assert len(before) == 5100
    load(client, PRODUCTS, path, rows)
    assert contents(client) == before
    load(client, PRODUCTS, path, [{"id": "V1", "category": "bowls"}])
    assert contents(client)[(PREFIX + "product:V1").encode()] == {b"cat": b"bowls", b"title": b""}


def test_refused_rows_are_counted_by_reason_and_leave_stored_lookups_unchanged(
    client: redis.Redis, tmp_path: Path
) -> None:
    store(client, "visitor:ada", gender="F", birthday="1990-09-22")
    rows: list[dict[str, Any]] = [
        {"userId": "ada", "gender": "?"},
        {"gender": "F"},
        {"userId": "bea", "gender": "x"},
        {"userId": "cleo", "gender": "m"},
    ]
    summary = load(client, VISITORS, tmp_path / "visitors", rows, is_pruned=True)
    assert summary[:3] == (1, Counter({"gender is not M, F or U": 2, "no userId": 1}), 0)
    assert contents(client)[(PREFIX + "visitor:ada").encode()][b"gender"] == b"F"


def test_prune_deletes_only_what_is_not_in_the_file(client: redis.Redis, tmp_path: Path) -> None:
    for number in range(30):
        store(client, f"product:V{number}", cat="vases", title="Blue")
    store(client, "visitor:V1", gender="F")
    client.hset("shop1:product:V1", "cat", "of another prefix")
    rows = [{"id": "V1", "title": "Blue"}, {"id": "V2"}]
    assert load(client, PRODUCTS, tmp_path / "products", rows, is_pruned=True).pruned == 28
    assert set(contents(client)) == {
        (PREFIX + "product:V1").encode(),
        (PREFIX + "product:V2").encode(),  # its row is refused, not absent
        (PREFIX + "visitor:V1").encode(),
        b"shop1:product:V1",
    }


def test_file_without_readable_rows_prunes_nothing(client: redis.Redis, tmp_path: Path) -> None:
    store(client, "product:V1", cat="vases", title="Blue")
    assert load(client, PRODUCTS, tmp_path / "products", [{"sku": "V2", "title": ""}], is_pruned=True).pruned == 0
    assert len(contents(client)) == 1


def test_damaged_file_loads_the_rows_before_the_damage_and_prunes_nothing(client: redis.Redis, tmp_path: Path) -> None:
    store(client, "product:OLD", cat="vases", title="Blue")
    damaged = tmp_path / "products.ndjson.gz"
    # Random titles do not compress, so the cut comes long after the first batch.
    rows = "".join(json.dumps({"id": f"V{number}", "title": os.urandom(8).hex()}) + "\n" for number in range(6000))
    damaged.write_bytes(gzip.compress(rows.encode())[:-100])
    with pytest.raises(UnreadableFile, match=r"products\.ndjson\.gz"):
        Loader(client, PREFIX, "here", Event()).load(PRODUCTS, damaged, is_pruned=True)
    keys = set(client.scan_iter(count=1000))
    assert {(PREFIX + "product:OLD").encode(), (PREFIX + "product:V0").encode()} <= keys
