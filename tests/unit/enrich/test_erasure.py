"""Forgotten visitors in enrich, which records are a visitor's, and the report of `clickpulse forget`."""

from threading import Event

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.erasure.identity import Identity, identity_of
from services.enrich.erasure.records import Matcher
from services.enrich.erasure.report import Line, is_pending, table
from services.enrich.erasure.stored import Redis, crossings
from services.enrich.lookups.redis_lookups import Lookups
from services.enrich.service import EnrichService
from services.enrich.settings import LookupSettings
from services.enrich.tally import Tally
from shared.events.raw import encode_raw
from shared.events.schema import RawEvent
from shared.privacy.erasures import NO_ERASURES, Erasure, Erasures, token_of
from shared.privacy.pseudonyms import COLLECT, crossing_key, salt_key
from shared.privacy.rotation import derived_salt, period_of, pseudonym_of
from shared.status.health import Health
from shared.streams.event_log import Record
from tests.unit.enrich.test_service import ROUTE, MemoryProcessor

NOW_MS = 1_795_343_400_000
DAY_MS = 86_400_000


def click(user: str, timestamp_ms: int) -> bytes:
    return encode_raw(RawEvent(timestamp=timestamp_ms, userId=user))


class Bench:
    """Enrich over some records, with erasures that a test may change."""

    def __init__(self, records: list[Record]) -> None:
        stop = Event()
        self.log = MemoryProcessor(records, stop)
        self.redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.erasures = NO_ERASURES
        self.lookups = Lookups(
            self.redis, "", found_seconds=45, missing_seconds=10, cache_entries=1000, clock=lambda: 0.0
        )
        self.service = EnrichService(
            self.log, self.lookups, ROUTE, tally=Tally(lambda: 0.0), health=Health("enrich"), stop=stop,
            current_erasures=lambda: self.erasures,
        )  # fmt: skip

    def sent(self) -> list[tuple[str, bytes | None]]:
        return [(record.topic, record.key) for record in self.log.sent]


def test_records_from_before_an_erasure_are_not_enriched_again() -> None:
    records = [
        Record(0, 0, NOW_MS, b"ann", click("ann", NOW_MS)),
        Record(0, 1, NOW_MS, b"bob", click("bob", NOW_MS)),
        Record(0, 2, NOW_MS + 5000, b"ann", click("ann", NOW_MS)),  # sent again, say from a dead letter
        Record(0, 3, NOW_MS + 5000, b"ann", click("ann", NOW_MS + 5000)),  # came back
        Record(0, 4, NOW_MS, b"ann", b"no json"),
        Record(0, 5, NOW_MS, b"bob", b"no json"),
    ]
    bench = Bench(records)
    bench.erasures = Erasures({token_of("ann"): Erasure(NOW_MS + 1000, NOW_MS + DAY_MS)})
    bench.service.run()
    assert bench.sent() == [
        ("enriched-click-data", b"bob"), ("enriched-click-data", b"ann"), ("click-data-dlq", b"bob")
    ]  # fmt: skip
    assert bench.log.offsets == {0: 6}


def test_the_fast_path_forgets_a_visitor_that_it_knew() -> None:
    clicks = [Record(0, n, NOW_MS, b"ann", click("ann", NOW_MS)) for n in range(3)]
    bench = Bench(clicks[:2])
    bench.service.run()
    assert len(bench.sent()) == 2
    assert "ann" in bench.lookups.visitors
    bench.erasures = Erasures({token_of("ann"): Erasure(NOW_MS, NOW_MS + DAY_MS)})
    bench.log.source.append(clicks[2])
    bench.log._stop.clear()  # noqa: SLF001 - our own fake
    bench.service.run()
    assert len(bench.sent()) == 2
    assert "ann" not in bench.lookups.visitors
    bench.lookups.learn(())  # the expiry of what was dropped is dropped too


@given(cached=st.sets(st.text(max_size=3), max_size=8), gone=st.sets(st.text(max_size=3), max_size=8))
def test_dropping_visitors_keeps_the_others_and_their_expiry(cached: set[str], gone: set[str]) -> None:
    now = [0.0]
    lookups = Lookups(
        fakeredis.FakeRedis(server=fakeredis.FakeServer()), "", found_seconds=45, missing_seconds=10,
        cache_entries=1000, clock=lambda: now[0],
    )  # fmt: skip
    lookups.learn([RawEvent(timestamp=NOW_MS, userId=user) for user in cached])
    lookups.exclude(gone.__contains__)
    assert lookups.visitors.keys() == cached - gone
    lookups.learn([RawEvent(timestamp=NOW_MS, userId=user) for user in cached])
    assert lookups.visitors.keys() == cached - gone
    now[0] = 20.0
    lookups.learn(())
    assert not lookups.visitors


# --- whose records ---------------------------------------------------------------------------------------------------


def matcher(*users: str) -> Matcher:
    return Matcher([Identity(user, {user: None}) for user in users])


def record(value: bytes, key: bytes | None = None) -> Record:
    return Record(0, 0, NOW_MS, key, value)


@pytest.mark.parametrize(
    ("value", "is_hers"),
    [
        (b'{"userId": "42", "url": "/7"}', True),
        (b'{"userId": 42}', True),  # enrich makes it text
        (b'{"userId": "7", "productId": "42"}', False),
        (b'{"userId": "421"}', False),
        (b'{"userId": "4\\u0032"}', True),
        (b'{"timestamp": 1, "userId": "42", "url": "/a', True),  # the beginning of a dead letter
        (b'{"timestamp": 1, "userId": "421", "url": "/a', False),
        (b'{"userId": "42", "age": \xff}', True),
        (b"userId=42&url=/a", True),
        (b"userId=421&url=/a", False),
        (b'{"productId": "42", "ur', False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_a_record_is_found_by_its_user_id_even_in_a_broken_value(value: bytes, *, is_hers: bool) -> None:
    assert (matcher("42").user_of(record(value)) == "42") is is_hers


def test_a_record_is_found_by_its_key_whatever_its_value() -> None:
    assert matcher("bob", "ann").user_of(record(b"\xff", b"ann")) == "ann"
    assert matcher("bob", "ann").user_of(record(b"\xff", b"anna")) is None


@given(user=st.text(min_size=1, max_size=30), value=st.binary(max_size=60))
def test_every_id_is_found_and_no_value_breaks_the_search(user: str, value: bytes) -> None:
    user_of = matcher(user).user_of
    assert user_of(record(click(user, NOW_MS))) == user
    assert user_of(record(click(user, NOW_MS)[:-1])) == user
    user_of(record(value))


# --- under which ids -------------------------------------------------------------------------------------------------

SECRET = "a secret of sixteen bytes or more"


def test_pseudonyms_of_derived_salts_reach_as_far_back_as_the_log() -> None:
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    visitor = identity_of(redis, "", "ann", secret=SECRET, kept_ms=2 * DAY_MS, now_ms=NOW_MS)
    for days in range(3):
        period = period_of(NOW_MS - days * DAY_MS, "daily")
        assert visitor.periods[pseudonym_of("ann", derived_salt(SECRET, period))] == period
    assert sum(period is not None and len(period.label) == 10 for period in visitor.periods.values()) == 3
    assert visitor.periods["ann"] is None
    assert redis.keys() == []  # it creates no salt


def test_pseudonyms_of_random_salts_are_those_that_redis_still_has() -> None:
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    period = period_of(NOW_MS - DAY_MS, "daily")
    redis.set(salt_key("p:", period), b"s" * 32)
    visitor = identity_of(redis, "p:", "ann", secret=None, kept_ms=9 * DAY_MS, now_ms=NOW_MS)
    assert visitor.ids == {"ann", pseudonym_of("ann", b"s" * 32)}
    assert visitor.counted_ids(NOW_MS) == [pseudonym_of("ann", b"s" * 32)]


def test_a_visitor_of_the_collector_is_forgotten_by_the_id_that_records_show() -> None:
    redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    user = pseudonym_of("an address and a browser", b"s" * 32)
    today, yesterday = (period_of(NOW_MS - back, "daily") for back in (0, DAY_MS))
    for day in (today, yesterday):
        redis.hset(crossing_key("p:", day, COLLECT), user, NOW_MS)
        redis.hset(crossing_key("p:", day, COLLECT), "another", NOW_MS)
    visitor = identity_of(redis, "p:", user, secret=None, kept_ms=2 * DAY_MS, now_ms=NOW_MS)
    places = Redis(redis, "p:")
    assert len(crossings(places, visitor, is_removed=False)) == 2
    assert len(crossings(places, visitor, is_removed=True)) == 2
    assert crossings(places, visitor, is_removed=False) == []
    assert redis.hkeys(crossing_key("p:", today, COLLECT)) == [b"another"]


def test_the_token_of_an_original_id_has_a_key_only_where_there_are_pseudonyms() -> None:
    assert LookupSettings(hash_salt=SECRET).erasure_key == LookupSettings(hash_user_id="daily").erasure_key == b""
    assert LookupSettings(hash_user_id="daily", hash_salt=SECRET).erasure_key == SECRET.encode()


def test_the_report_lines_up_and_knows_what_is_pending() -> None:
    lines = [
        Line("lookup", 1, 1),
        Line("click-data", 1200, 0, "1,200 expire by …"),
        Line("state", None, None, "", is_pending=True),
    ]
    assert table(lines) == (
        "place       found  removed  rest\n"
        "lookup          1        1\n"
        "click-data  1,200        0  1,200 expire by …\n"
        "state"
    )
    assert is_pending(lines)
    assert not is_pending(lines[:2])
