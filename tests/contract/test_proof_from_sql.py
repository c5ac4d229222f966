"""A proof from SQL on a real PostgreSQL: no difference unless something is wrong, and then each one is named."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakeredis
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.aggregate.proof.awaiting import NotComparable
from services.aggregate.proof.equal_offsets import Rollups
from services.aggregate.proof.from_sql import SqlProof
from services.aggregate.proof.naming import reached
from services.aggregate.proof.proof import BEYOND_LIMITS, Rules, Verdict
from services.aggregate.proof.published import KEYS
from services.aggregate.proof.settings import ProofSettings
from services.aggregate.state.opening import resume
from services.history.opened import opened_stored
from services.history.rows import build_batch
from services.history.sql.migrating import migrate
from services.history.sql.store import Store
from shared.events.enriched import decode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import NO_ERASURES, token_of
from shared.privacy.visitor_history import HistoryUnavailable
from shared.rollups.model import AUDIENCES
from shared.rollups.writing import RollupWriter
from shared.runtime.settings import ConfigurationError
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import BASE_S, GOALS, as_records, events, fold, published_at
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import T, click

RULES = Rules(goals=reached(GOALS))
HOUR_S = 3600
EMPTY = (
    "TRUNCATE events, orders, sessions, history_offsets, "
    "traffic_1m, traffic_1h, traffic_1d, sales_1m, sales_1h, sales_1d, sessions_1m, sessions_1h, sessions_1d"
)

pytestmark = pytest.mark.timeout(200)


class Site:
    """SQL on PostgreSQL, Redis in memory, and the engine in this process. Its log has no records any more."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis: Any = fakeredis.FakeRedis()
        self.log_misses_until_ms = 0
        self.topic = ProofSettings().enriched_topic
        migrate(lambda: url)

    def store(self, log: Sequence[Arrived], size: int = 1000, topic_id: str = "a") -> None:
        """Store the events in batches of a size."""
        records = as_records(list(log))
        store = Store(lambda: self.url, self.topic)
        for start in range(0, len(records), size):
            place = store.claim(Assignment(0, 0, 1 << 60, topic_id))
            own = records[start : start + size]
            store.write(build_batch(own, decode_enriched, NO_ERASURES.erases), {0: place})
        store.close()

    def publish(self, log: Sequence[Arrived], now_s: int = T, site: str = "") -> None:
        """Publish the rollups of an instant, as aggregate does."""
        partition = resume(MemoryStore(), Assignment(0, 0, 1 << 60), now_s - 9 * HOUR_S, goals=GOALS, site=site)
        fold(partition, as_records(list(log)))
        rollup = published_at([partition], now_s)
        meta = replace(rollup.meta, coverage_1h_s=HOUR_S, coverage_8h_s=8 * HOUR_S, partitions=1, site=site)
        offsets = {} if partition.next_offset is None else {0: partition.next_offset}
        with self.redis.pipeline() as pipeline:
            RollupWriter(self.redis, "").write(pipeline, replace(rollup, meta=meta, offsets=offsets))
            pipeline.execute()

    def prove(self, rules: Rules = RULES, **own: Any) -> Verdict:
        """Raises NotComparable."""
        settings = ProofSettings(**{"history_url": self.url, **own})
        proof = SqlProof(settings, rules, self.redis, self, 0, opened_stored)  # type: ignore[arg-type] # what it uses of a log
        return proof.run()

    def past(self, topic: str, since_ms: int, end: Mapping[int, int]) -> Any:  # noqa: ARG002 - as a log
        return SimpleNamespace(records=lambda: iter(()), missing_until_ms=self.log_misses_until_ms)

    def change(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL(statement))

    def refusal(self, **own: Any) -> str:
        """Why it does not compare."""
        with pytest.raises(NotComparable) as refusal:
            self.prove(**own)
        return str(refusal.value)


@pytest.fixture
def site(history_url: str) -> Site:
    return Site(history_url)


def arrived(*made: EnrichedEvent, after_ms: int = 500) -> list[Arrived]:
    return [Arrived(event, event.timestamp + after_ms, 0, offset) for offset, event in enumerate(made)]


def a_log() -> list[Arrived]:
    shop: dict[str, Any] = {"site": "shop.example", "productId": "p1", "title": "One", "category": "books"}
    return arrived(
        click(T - 9 * HOUR_S, "old", url="/b"),
        click(T - 4000, "ada", url="/a", **shop),
        click(T - 300, "ada", url="/a", eventType="purchase", value="5.25", currency="USD", orderId="o1", **shop),
        click(T - 200, "bob", productId="p2", url="https://shop.example/b?utm_campaign=spring", value="3"),
        click(T - 199, "bob", productId="p2", url="/c", eventId="e1", country="Kenya", browser="Chrome"),
        click(T - 100, "bot", deviceType="Bot", url="/b", referrer="https://www.google.com/"),
    )


FUTURE = f'{{"timestamp": {T * 1000 + 60_001}, "userId": "a", "quantity": "many"}}'
WRONG = "UPDATE events SET country_id = 0 WHERE event_id = 'e1'"
OTHER_PARTITION = (
    "INSERT INTO history_offsets (topic, topic_id, partition, next_offset, read_to) "
    "VALUES ('enriched-click-data', 'a', 1, 7, '2026-11-22 12:00Z')"
)
OTHER_TOPIC = (
    "INSERT INTO history_offsets (topic, topic_id, partition, next_offset, read_to) "
    "VALUES ('other', 'b', 0, 7, '2026-11-22 03:59Z')"
)


def fields_of(verdict: Verdict) -> set[tuple[str, str]]:
    return {(difference.key, difference.field) for difference in verdict.differences}


@st.composite
def logs(draw: st.DrawFn, *, repeats: bool) -> list[Arrived]:
    log: list[Arrived] = []
    arrival_ms = BASE_S * 1000
    for offset in range(draw(st.integers(0, 40))):
        arrival_ms += draw(st.sampled_from([0, 0, 1, 400, 1000, 61_000, 1_800_000]))
        own = ["1", "2"] if repeats else [str(offset)]
        event = draw(events(arrival_ms, "abcd", [f"e{name}" for name in own], [f"o{name}" for name in own]))
        log.append(Arrived(event, arrival_ms, 0, offset))
    return log


@given(data=st.data(), repeats=st.booleans(), later=st.sampled_from([0, 1, 60, 1800, 7200]), size=st.integers(1, 50))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_arrives_no_difference_is_false(
    site: Site, data: st.DataObject, repeats: bool, later: int, size: int
) -> None:
    log = data.draw(logs(repeats=repeats))
    now_s = (log[-1].arrival_ms // 1000 if log else BASE_S) + later
    site.change(EMPTY)
    site.store(log, size)
    site.publish(log, now_s)
    with suppress(NotComparable) if repeats else nullcontext():
        verdict = site.prove()
        assert verdict.differences == []
        assert verdict.keys + len(verdict.not_compared) == len(KEYS) - 1  # all but the offsets
        assert repeats or "rollup:all:revenue" not in verdict.not_compared


def test_what_sql_does_not_know_is_left_out_with_the_reason(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    verdict = site.prove()
    assert verdict.differences == []
    assert verdict.events == len(log) - 1, "the first is older than the windows"
    assert set(verdict.not_compared) == {
        "rollup:events:latest", "rollup:visitors:latest", "latest_visitors", "raw_data",
    }  # fmt: skip
    assert set(verdict.not_compared.values()) == {"SQL does not know in which order events arrived"}


MINUTE = "2026-11-22T12:16:00Z"
CHANGED: dict[str, tuple[str, set[tuple[str, str]]]] = {
    "a country": (
        WRONG,
        {(f"rollup:{who}:countries:1h", name) for who in ("all", "human") for name in ("Kenya", "")},
    ),
    "a page": (
        "UPDATE events SET page_id = (SELECT id FROM names WHERE name = '/b') WHERE event_id = 'e1'",
        {("rollup:all:pages:1h", "/c"), ("rollup:all:pages:5m", "/c"), ("rollup:all:exit_pages:1h", "/c")},
    ),
    "an amount": (
        "UPDATE events SET value = 4 WHERE value = 3",
        {("rollup:human:revenue", "revenue_1h"), ("rollup:all:revenue:products:8h", "p2 › revenue")},
    ),
    "a visitor": (
        "UPDATE events SET visitor_id = visitor_id + 10000 WHERE event_id = 'e1'",
        {("rollup:all:visitors", "1h"), ("rollup:human:visitors:30m", "2026-11-22T12:00:00Z")},
    ),
    "a row less": (
        "DELETE FROM events WHERE event_id = 'e1'",
        {("rollup:all:views", "8h"), ("rollup:all:views:1m", MINUTE), ("products_last_hour", "count › 0")},
    ),
    "another time": (
        "UPDATE events SET ts = ts + interval '1 minute' WHERE event_id = 'e1'",
        {("rollup:all:views:1m", MINUTE), ("rollup:human:views:1m", "2026-11-22T12:17:00Z")},
    ),
    "a product's title": (
        "UPDATE events SET title_id = 0 WHERE title_id IS NOT NULL",
        {("rollup:products:info", "p1 › title")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGED)
def test_what_is_changed_in_sql_is_found(site: Site, what: str) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    statement, expected = CHANGED[what]
    site.change(statement)
    found = site.prove()
    assert expected <= fields_of(found)
    assert not any(key.startswith("rollup:bot:") for key, _ in fields_of(found))
    if what in ("a country", "a product's title"):
        assert fields_of(found) == expected
    assert ", SQL " in str(found.differences[0])


def test_what_is_changed_in_redis_is_found_and_nothing_else(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    site.redis.hincrby("rollup:human:views", "1h", 1)
    (found,) = site.prove().differences
    assert str(found) == "rollup:human:views 1h: Redis 4, SQL 3"


def test_a_site_has_its_own_events_and_the_setting_has_to_be_its(site: Site) -> None:
    log = [*a_log(), *(replace(own, offset=own.offset + 6) for own in arrived(click(T - 50, "eve", site="a.example")))]
    site.store(log)
    site.publish(log, site="shop.example")
    own = {"site": "shop.example", "redis_prefix": "shop:"}
    for key in site.redis.keys("*"):
        site.redis.rename(key, b"shop:" + key)
    verdict = site.prove(replace(RULES, site="shop.example"), **own)
    assert (verdict.differences, verdict.events) == ([], 6)
    assert "rollups are those of shop.example" in site.refusal(**{**own, "site": "a.example"})


def test_only_equal_offsets_are_compared(site: Site) -> None:
    log = a_log()
    site.publish(log)
    assert "SQL and Redis have partition 0 up to None and 6" in site.refusal()
    site.store(log[:-1])
    said = site.refusal()
    assert said.startswith("there was no moment within 0 s at which SQL and Redis had the same events: ")
    assert "partition 0 up to 5 and 6. If clicks arrive all the time" in said
    site.store([log[-1]])
    assert site.prove().differences == []
    site.change(OTHER_PARTITION)
    assert "partition 1 up to 7 and None" in site.refusal()
    site.change("UPDATE history_offsets SET read_to = '2026-11-22 03:28Z' WHERE partition = 1")
    assert site.prove().differences == [], "aggregate never read what arrived before the windows"


def test_rollups_of_a_moment_ago_are_compared_with_what_sql_holds_now(site: Site) -> None:
    log = a_log()
    site.store(log[:-1])
    site.publish(log[:-1])
    proof_settings = ProofSettings(history_url=site.url)
    rollups = Rollups(site.redis, proof_settings)
    rollups.look()
    site.publish(log, T + 1)
    rollups.look()
    with opened_stored(site.url, Path()) as history:
        assert history is not None
        with history.snapshot(site.topic) as snapshot:
            first = rollups.equal_to(snapshot)
    assert first is not None
    assert first.meta.as_of_ms == T * 1000


@pytest.mark.parametrize(
    ("doubted", "reason", "harmless"),
    [
        (
            "UPDATE history_offsets SET differs_to = '2026-11-22 04:00Z'",
            "history noted that it has an event of 2026-11-22T04:00:00Z",
            "UPDATE history_offsets SET differs_to = '2026-11-22 03:59Z'",
        ),
        (
            OTHER_TOPIC,
            "SQL has events of another topic",
            "UPDATE history_offsets SET read_to = '2026-11-22 03:58Z' WHERE topic = 'other'",
        ),
    ],
)
def test_a_difference_proves_nothing_where_sql_may_differ(site: Site, doubted: str, reason: str, harmless: str) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    site.change(doubted)
    assert site.prove().differences == [], "no difference is a proof all the same"
    site.change(WRONG)
    assert f"4 figures differ, which proves nothing, because {reason}" in site.refusal()
    site.change(harmless)
    assert len(site.prove().differences) == 4


def test_a_difference_proves_nothing_after_an_erasure_or_where_the_log_has_lost_events(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    site.change(WRONG)
    oldest_ms = (T // 1800 - 16) * 1_800_000
    site.log_misses_until_ms = oldest_ms + 1
    assert "4 figures differ, which proves nothing, because the log begins at" in site.refusal()
    site.log_misses_until_ms = oldest_ms
    assert len(site.prove().differences) == 4
    erasures = ErasureList(site.redis, "")
    until_ms = erasures.erase([token_of("ada")], oldest_ms - 60_000, 10**12)
    erasures.report(site.topic, {0: until_ms})
    assert "because a visitor was forgotten at 2026-11-22T03:59:00Z" in site.refusal()


def test_days_that_sql_has_dropped_are_not_compared(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    site.change("UPDATE history_raw SET kept_from = '2026-11-23'")
    assert "SQL keeps events from 2026-11-23T00:00:00Z on, after 2026-11-22T04:00:00Z" in site.refusal()


def test_a_repeat_counts_twice_for_aggregate_after_an_hour_and_in_sql_after_midnight(site: Site) -> None:
    """Aggregate counts neither of the first two, and the others."""
    midnight = T - 44_417
    assert midnight % 86_400 == 0
    now_s = midnight + 2 * HOUR_S
    first = click(midnight + 60, "ada", eventId="e1")
    cases = {
        60: (first, None),  # arrives again after a minute
        HOUR_S + 60: (first, "history noted"),
        120: (click(midnight - 60, "ada", eventId="e1"), "a visitor repeated an eventId on two days"),
    }
    for after_s, (repeat, reason) in cases.items():
        log = [
            Arrived(first, first.timestamp, 0, 0),
            Arrived(repeat, first.timestamp + after_s * 1000, 0, 1),
            Arrived(click(now_s - 30, "bob"), (now_s - 30) * 1000, 0, 2),
        ]
        for size in (1, 1000):  # stored before, and in the same batch
            site.change(EMPTY)
            site.store(log, size)
            site.publish(log, now_s)
            if reason is None:
                assert site.prove().differences == []
            else:
                assert reason in site.refusal()


@pytest.mark.parametrize("field", ['"quantity": "many"', '"country": "\\u0000"'])
def test_what_postgresql_cannot_hold_as_it_is_is_noted(site: Site, field: str) -> None:
    record = Record(0, 0, T * 1000, None, f'{{"timestamp": {T * 1000 - 5000}, "userId": "a", {field}}}'.encode())
    store = Store(lambda: site.url, site.topic)
    place = store.claim(Assignment(0, 0, 1 << 60, "a"))
    refused = [Record(0, 0, T * 1000, None, text) for text in (b"no json", FUTURE.encode())]
    for own, noted in (([*refused], False), ([record], True)):
        batch = build_batch(own, decode_enriched, NO_ERASURES.erases)
        assert {n: round(at.timestamp()) for n, at in batch.differs_to.items()} == ({0: T - 5} if noted else {})
    store.write(batch, {0: place})
    store.close()
    with opened_stored(site.url, Path()) as history, history.snapshot(site.topic) as snapshot:  # type: ignore[union-attr] # there is one
        assert snapshot.facts(0, 0).differs_to_ms == T * 1000 - 5000


def test_the_latest_is_noted_and_a_repeat_of_another_site_counts_for_its_group(site: Site) -> None:
    log = arrived(
        click(T - 90, "ada", eventId="e1", site="a.example"),
        click(T - 80, "ada", eventId="e1", site="a.example"),
        click(T - 70, "ada", eventId="e1", site="b.example"),
        click(T - 60, "bob", country="\0"),
        click(T - 65, "bob", country="\0"),
    )
    noted = []
    for size in range(1, len(log) + 1):
        site.store(log[size - 1 : size])
        with opened_stored(site.url, Path()) as history, history.snapshot(site.topic) as snapshot:  # type: ignore[union-attr] # there is one
            noted.append(snapshot.facts(0, 0).differs_to_ms)
    assert noted == [0, 0, (T - 70) * 1000, (T - 60) * 1000, (T - 60) * 1000]


def test_a_recreated_topic_is_noted(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.store(log[:1], topic_id="b")
    site.publish(log[:1])
    assert "which proves nothing, because history noted" in site.refusal()


def test_a_repeated_order_leaves_out_sales_alone(site: Site) -> None:
    sale: dict[str, Any] = {"value": "2", "orderId": "o1"}
    log = arrived(click(T - 4 * HOUR_S, "ada", **sale), click(T - 60, "ada", **sale), click(T - 50, "bob", value="3"))
    site.store(log)
    site.publish(log)
    verdict = site.prove()
    assert verdict.differences == []
    reasons = {key: reason for key, reason in verdict.not_compared.items() if "revenue" in key}
    assert set(reasons.values()) == {
        "a visitor repeated an orderId, which aggregate counts once for each hour of arrival"
    }
    assert {"rollup:all:revenue", "rollup:bot:revenue:products:8h"} <= reasons.keys()
    site.change("UPDATE events SET country_id = 0 WHERE value = 3")
    assert fields_of(site.prove()) >= {("rollup:all:countries:1h", "Unknown")}


def test_pages_of_one_millisecond_leave_out_the_first_and_last_of_sessions(site: Site) -> None:
    log = arrived(click(T - 60, "ada", url="/b"), click(T - 60, "ada", url="/a"))
    site.store(log)
    site.publish(log)
    verdict = site.prove()
    assert verdict.differences == []
    skipped = {key for key, reason in verdict.not_compared.items() if reason.endswith("two pages in one millisecond")}
    assert skipped == {f"rollup:{who}:{which}_pages:1h" for who in AUDIENCES for which in ("entry", "exit")}


def test_names_and_sales_beyond_a_limit_are_not_compared(site: Site) -> None:
    log = a_log()
    site.store(log)
    site.publish(log)
    skipped = site.prove(replace(RULES, max_names=1)).not_compared
    assert skipped["rollup:all:pages:1h"] == BEYOND_LIMITS
    site.redis.hset("rollup:all:revenue:as_other", "8h", 2)
    verdict = site.prove()
    assert (verdict.differences, verdict.not_compared["rollup:human:revenue:products:1h"]) == ([], BEYOND_LIMITS)
    assert "rollup:all:revenue" not in verdict.not_compared, "totals are exact"


def test_without_a_postgresql_or_its_tables_nothing_is_compared(site: Site, tmp_path: Path) -> None:
    log = a_log()
    site.publish(log)
    with pytest.raises(ConfigurationError, match=f"HISTORY_DIR {tmp_path} has no PostgreSQL"):
        site.prove(history_url=None, history_dir=tmp_path)
    site.change("DROP TABLE history_offsets")
    with pytest.raises(HistoryUnavailable, match="history_offsets"):
        site.prove()
