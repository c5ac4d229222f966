"""Values that neither enrich, detect nor `load-lookups` wrote: both services go on, with the visitors they know."""

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from services.detect.detection import Click, Detection, Machine, detect
from services.detect.machines import MachineStore
from services.enrich.lookups.redis_lookups import MOST_REPLY_BYTES, Lookups
from services.enrich.privacy.lookup_names import LookupNames, shared_key_key
from shared.events.schema import EnrichedEvent, RawEvent
from shared.privacy.pseudonyms import Pseudonyms, crossing_key, salt_key
from shared.privacy.rotation import period_of
from shared.runtime.redis_client import connect

Client = Any
NOW_MS = time.time_ns() // 1_000_000
WINDOW_MS = 1_800_000
PATH = (("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing"))


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with connect(redis_url) as client:
        yield client


# --- detect ----------------------------------------------------------------------------------------------------------


def click(user: str, product: str, category: str, timestamp: int) -> EnrichedEvent:
    return EnrichedEvent(timestamp=timestamp, userId=user, productId=product, category=category, gender="M", age=40)


def followed(redis_url: str, users: list[str], *, most_reply_bytes: int = 1_000_000) -> Detection:
    """What detect makes of each visitor's path to an offer."""
    clicks = [
        Click(0, 3 * place + step, NOW_MS, click(user, *seen, NOW_MS - 1000 + step))
        for place, user in enumerate(users)
        for step, seen in enumerate(PATH)
    ]
    with connect(redis_url, most_reply_bytes=most_reply_bytes) as own:
        store = MachineStore(own, "", WINDOW_MS)
        return store.update(users, lambda machines: detect(clicks, machines, WINDOW_MS), NOW_MS)


def test_false_machines_do_not_stop_detect(client: Client, redis_url: str) -> None:
    future = Machine(partition=0, offset=2**62, appended_ms=2**62)
    lies: list[bytes] = [
        b"", b"{", b"[]", b"null", b"\xff", b"x" * 70_000, b"[" * 5000, b'{"offset": 1e308}',
        msgspec.json.encode(future), b'{"journey": {"started_ms": -99999999999999999}}',
    ]  # fmt: skip
    users = [f"visitor {number}" for number in range(len(lies))]
    for user, lie in zip(users, lies, strict=True):
        client.set(f"detect:{user}", lie)
    client.hset("detect:of another type", "a", "b")
    users.append("of another type")
    assert sorted(offer.userId for offer in followed(redis_url, users).offers) == sorted(users)


def test_large_machines_and_a_log_of_another_type_do_not_stop_detect(client: Client, redis_url: str) -> None:
    users = [f"visitor {number}" for number in range(5)]
    for user in users[1:]:
        client.set(f"detect:{user}", b"x" * 900_000)
    client.set("state_logs", "x")
    assert len(followed(redis_url, users).offers) == len(users)
    followed(redis_url, ["new"])
    assert client.xlen("state_logs") > 0
    assert all(len(client.get(f"detect:{user}")) < 1_000 for user in users)


def test_a_state_log_without_ids_left_does_not_stop_detect(client: Client, redis_url: str) -> None:
    client.delete("state_logs")
    client.xadd("state_logs", {"msg": "the last"}, id=f"{2**64 - 1}-{2**64 - 1}")
    assert len(followed(redis_url, ["ada"]).offers) == 1
    followed(redis_url, ["bob"])
    assert all(fields[b"userId"] == b"bob" for _, fields in client.xrange("state_logs"))
    assert client.xlen("state_logs") > 0


# --- enrich ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5_000, 2 * MOST_REPLY_BYTES])
def test_large_and_foreign_lookups_are_unknown(client: Client, redis_url: str, size: int) -> None:
    client.hset("product:true", mapping={"cat": "Books", "title": "A book"})
    client.hset("product:large", mapping={"cat": "Books", "title": b"x" * size})
    client.hset("visitor:large", mapping={"gender": b"M" * size, "birthday": "1990-01-01"})
    client.set("product:of another type", "x")
    client.hset("visitor:odd", mapping={"gender": b"\xff\xfe", "birthday": "9999-99-99"})
    with connect(redis_url, most_reply_bytes=MOST_REPLY_BYTES) as own:
        lookups = Lookups(own, "", found_seconds=9, missing_seconds=9, cache_entries=99, clock=lambda: 1.0)
        clicks = [("large", "true"), ("odd", "large"), ("other", "of another type")]
        lookups.learn([RawEvent(timestamp=NOW_MS, userId=user, productId=product) for user, product in clicks])
        assert lookups.products["true"].title == "A book"
        assert {lookups.products[name].title for name in ("large", "of another type")} == {"Unknown"}
        assert {visitor.gender for visitor in lookups.visitors.values()} == {"U"}


@pytest.mark.parametrize("lie", ["short", "large", "hash"])
def test_a_false_salt_is_replaced(client: Client, lie: str) -> None:
    key = salt_key("", period_of(NOW_MS, "daily"))
    if lie == "hash":
        client.hset(key, "a", "b")
    else:
        client.set(key, b"x" * (3 if lie == "short" else 2_000_000))
    clicks = [RawEvent(timestamp=NOW_MS, userId="ada")]
    first, second = (Pseudonyms(client, "", "daily", None, lambda: NOW_MS).of(clicks) for _ in range(2))
    assert first == second
    assert len(client.get(key)) == 32


@pytest.mark.parametrize("lie", ["short", "large", "hash"])
def test_a_false_key_of_lookup_names_is_replaced(client: Client, lie: str) -> None:
    key = shared_key_key("")
    if lie == "hash":
        client.hset(key, "a", "b")
    else:
        client.set(key, b"x" * (3 if lie == "short" else 2_000_000))
    first, second = (LookupNames(client, "", None).of(["ada"]) for _ in range(2))
    assert first == second
    assert len(client.get(key)) == 32


@pytest.mark.parametrize("lie", ["text", "digits", "string"])
def test_false_sessions_across_a_rotation_are_ignored(client: Client, lie: str) -> None:
    period = period_of(NOW_MS, "daily")
    last_ms = period.end_ms - 1000
    clicks = [RawEvent(timestamp=last_ms, userId="ada")]
    secret = "a secret of some length"
    (pseudonym,) = Pseudonyms(client, "", "daily", secret, lambda: last_ms).of(clicks)
    client.flushall()
    if lie == "string":
        client.set(crossing_key("", period), "x")
    else:
        client.hset(crossing_key("", period), pseudonym, "soon" if lie == "text" else "9" * 5000)
    assert Pseudonyms(client, "", "daily", secret, lambda: last_ms).of(clicks) == [pseudonym]
