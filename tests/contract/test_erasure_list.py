"""The list of erasures in Redis, and the watch that follows it."""

import time
from typing import Any

from shared.privacy.erasure_list import ERASURES_KEY, HONOURED_KEY, SITES_KEY, ErasureList, PublishedSite
from shared.privacy.erasure_watch import ErasureWatch
from shared.privacy.erasures import KEPT_MS, Erasure, Erasures, token_of
from tests.support.polling import eventually

HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def erasure() -> Erasure:
    return Erasure(now_ms(), now_ms() + HOUR_MS)


def test_an_added_erasure_is_read_until_it_expires(client: Any) -> None:
    erasures, kept = ErasureList(client, "p:"), erasure()
    erasures.add({token_of("ann"): kept}, now_ms())
    assert erasures.read(now_ms()) == {token_of("ann"): kept}
    assert erasures.read(kept.kept_until_ms) == {}
    erasures.add({}, kept.kept_until_ms)
    assert client.keys("*") == []


def test_a_list_that_nobody_can_have_written_is_ignored(client: Any) -> None:
    client.hset(ERASURES_KEY, mapping={str(number): "" for number in range(11)})
    assert ErasureList(client, "", most=10).read(now_ms()) == {}


def test_what_aggregate_honours_is_reported_by_partition(client: Any) -> None:
    erasures = ErasureList(client, "p:")
    erasures.report("clicks", {0: 5, 3: 7})
    erasures.report("other", {0: 9})
    client.hset("p:" + HONOURED_KEY, mapping={"clicks:x": "1", "clicks:1": "soon"})
    assert erasures.honoured("clicks") == {0: 5, 3: 7}


def test_the_watch_sees_an_erasure_and_restores_one_that_redis_lost(client: Any) -> None:
    erasures, first, second = ErasureList(client, ""), erasure(), erasure()
    erasures.add({token_of("ann"): first}, now_ms())
    with ErasureWatch(client, "", topic="clicks") as watch:
        assert watch.current().includes("ann")
        erasures.add({token_of("bob"): second}, now_ms())
        eventually(lambda: watch.current().includes("bob"), "the new erasure")
        watch.learn(Erasures({token_of("eve"): first}))  # of a saved state
        watch.honour({2: first.until_ms})
        client.flushall()
        eventually(lambda: len(erasures.read(now_ms())) == 3, "all erasures back in Redis")
        eventually(lambda: erasures.honoured("clicks") == {2: first.until_ms}, "the report")


def test_a_reader_neither_restores_nor_reports(client: Any) -> None:
    with ErasureWatch(client, "") as watch:
        watch.learn(Erasures({token_of("ann"): erasure()}))
        watch.look()
        assert watch.current().includes("ann")
        assert client.keys("*") == []


def test_a_foreign_key_in_its_place_is_ignored_and_written_anew(client: Any) -> None:
    erasures, kept = ErasureList(client, ""), erasure()
    client.set(ERASURES_KEY, b"theirs")
    assert erasures.read(now_ms()) == {}
    erasures.add({token_of("ann"): kept}, now_ms())
    assert erasures.read(now_ms()) == {token_of("ann"): kept}
    client.delete(ERASURES_KEY)
    client.lpush(ERASURES_KEY, b"theirs")
    until_ms = erasures.erase([token_of("bob")], now_ms(), HOUR_MS)
    assert erasures.read(now_ms()) == {token_of("bob"): Erasure(until_ms, until_ms + HOUR_MS)}


def test_each_erasure_is_later_than_all_before_it_whatever_the_clock(client: Any) -> None:
    erasures = ErasureList(client, "")
    first = erasures.erase([token_of("ann")], now_ms() + 60_000, HOUR_MS)
    assert erasures.erase([token_of("bob")], now_ms(), HOUR_MS) == first + 1


def test_sites_are_listed_while_their_state_may_hold_a_visitor(client: Any) -> None:
    erasures, shop = ErasureList(client, "p:"), PublishedSite("shop.example", "shop: and more")
    erasures.note_site(shop, now_ms())
    erasures.note_site(PublishedSite("old.example", "old:"), now_ms() - KEPT_MS - 1)
    client.hset("p:" + SITES_KEY, mapping={"a": "soon a:", "b": "12", "c": b"9" * 600})
    assert erasures.sites(now_ms()) == [shop]
    erasures.note_site(shop, now_ms())
    assert client.hkeys("p:" + SITES_KEY) == [b"shop.example"]  # what has ended or is none is dropped
    assert ErasureList(client, "").sites(now_ms()) == []


def test_the_watch_of_a_site_notes_it_and_reports_its_own_state(client: Any) -> None:
    site = PublishedSite("shop.example", "shop:")
    with ErasureWatch(client, "", topic="clicks", site=site) as watch:
        watch.honour({0: 5})
        watch.look()
        erasures = ErasureList(client, "")
        assert erasures.sites(now_ms()) == [site]
        assert erasures.honoured("clicks", "shop.example") == {0: 5}
        assert erasures.honoured("clicks") == {}


def test_a_foreign_key_in_the_place_of_sites_is_written_anew(client: Any) -> None:
    erasures, shop = ErasureList(client, ""), PublishedSite("shop.example", "shop:")
    client.set(SITES_KEY, b"theirs")
    assert erasures.sites(now_ms()) == []
    erasures.note_site(shop, now_ms())
    assert erasures.sites(now_ms()) == [shop]
