"""`clickpulse forget` and `export` on a real PostgreSQL: exact, whatever history is doing, and true when it fails."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from threading import Event
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from services.enrich.erasure import export, forget
from services.enrich.erasure.forget import Forgetting
from services.enrich.erasure.report import Line
from services.enrich.erasure.site import opened_site
from services.history.failures import StaleOffsets
from services.history.opened import opened_history
from services.history.rows import Batch, build_batch
from services.history.sql.migrating import migrate
from services.history.sql.store import Place, Store
from services.history.sql.visitors import TABLES, SqlVisitors
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasures import KEPT_MS, token_of
from shared.privacy.rotation import derived_salt, period_of, pseudonym_of
from shared.privacy.visitor_history import VisitorErasure
from shared.runtime.redis_client import connect
from shared.streams.event_log import Assignment, Record

TOPIC = "enriched-click-data"
NOW_MS = time.time_ns() // 1_000_000
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
SECRET = "a secret of sixteen bytes or more"


class History:
    """History's tables, with the offsets of partition 0 and 1, and the service's store."""

    def __init__(self, url: str) -> None:
        self.url = url
        migrate(lambda: url)
        self.store = Store(lambda: url, TOPIC)
        self.visitors = SqlVisitors(lambda: url, "postgres")
        self.at = self.claim()

    def claim(self, partition: int = 0) -> Place:
        return self.store.claim(Assignment(partition, 0, 10**6, "a"))

    def batch(self, *events: EnrichedEvent, arrived_ms: int = NOW_MS) -> Batch:
        first = self.at.next_offset
        records = [Record(0, first + n, arrived_ms, None, encode_enriched(own)) for n, own in enumerate(events)]
        return build_batch(records, decode_enriched, self.store.erasures.erases)

    def write(self, batch: Batch) -> None:
        self.store.write(batch, {0: self.at})
        self.at = self.claim()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, options="-c timezone=UTC") as connection:
            return connection.execute(sql.SQL(statement)).fetchall()

    def users(self) -> list[str | None]:
        """The visitor of each event; None if its number stands for nobody."""
        joined = "SELECT name FROM events LEFT JOIN visitors ON visitors.id = visitor_id ORDER BY ts, name"
        return [name for (name,) in self.query(joined)]


@pytest.fixture
def history(history_url: str) -> Iterator[History]:
    history = History(history_url)
    yield history
    history.store.close()


def event(user: str, ago_ms: int = MINUTE_MS, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(timestamp=NOW_MS - ago_ms, userId=user, **fields)


def erasure(user: str, until_ms: int = NOW_MS) -> VisitorErasure:
    return VisitorErasure([user], until_ms, [token_of(user)])


def test_every_table_that_holds_visitors_is_erased(history: History) -> None:
    found = history.query(
        "SELECT relname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE attname = 'visitor_id' AND relkind IN ('r', 'p') AND NOT relispartition AND relpersistence = 'p'"
    )
    assert sorted(name for (name,) in found) == sorted(table for table, _ in TABLES)


def test_the_visitor_is_gone_others_stay_and_rollups_keep_their_counts(history: History) -> None:
    events = event("ann"), event("bob"), event("ann", 3 * DAY_MS), event("ann", -2 * MINUTE_MS)
    history.write(history.batch(*events, arrived_ms=NOW_MS + 2 * MINUTE_MS))
    counted = history.query("SELECT * FROM traffic_1d ORDER BY 1, 3, 4")
    assert history.visitors.count(["ann"], NOW_MS) == 2
    assert history.visitors.erase(erasure("ann")) == 2
    # Of the event after the erasure another run decides.
    assert history.users() == ["bob", "ann"]
    assert history.visitors.newest_ms(["ann"]) == NOW_MS + 2 * MINUTE_MS
    assert history.visitors.erase(erasure("ann", NOW_MS + MINUTE_MS)) == 1
    assert history.visitors.erase(erasure("ann", NOW_MS + MINUTE_MS)) == 0
    assert (history.users(), history.query("SELECT name FROM visitors")) == (["bob"], [("bob",)])
    assert history.visitors.newest_ms(["ann", "nobody"]) is None
    assert history.query("SELECT * FROM traffic_1d ORDER BY 1, 3, 4") == counted


def test_a_batch_that_was_built_before_the_erasure_is_stale(history: History) -> None:
    before = history.batch(event("ann"), event("bob"))
    history.visitors.erase(erasure("ann"))
    with pytest.raises(StaleOffsets):
        history.write(before)
    assert history.users() == []
    history.at = history.claim()
    history.write(history.batch(event("ann"), event("bob"), event("ann", -MINUTE_MS)))
    assert history.users() == ["bob"]  # of `ann`, the first happened before and the second arrived before
    assert history.query("SELECT kept, erased FROM history_offsets WHERE partition = 0") == [(1, 2)]


def test_a_visitor_who_returns_gets_a_new_number_though_history_remembers_the_old(history: History) -> None:
    history.write(history.batch(event("ann")))
    history.visitors.erase(erasure("ann", NOW_MS - 1))
    history.at = history.claim()  # as when it is given a partition: the same session as before
    history.write(history.batch(event("ann", 0)))
    assert history.users() == ["ann"]


def test_another_store_knows_the_erasures_at_its_first_claim(history: History) -> None:
    history.visitors.erase(erasure("ann"))
    restarted = History(history.url)
    restarted.write(restarted.batch(event("ann"), event("bob")))
    assert history.users() == ["bob"]
    restarted.store.close()


def test_nothing_is_found_before_history_has_run(history_url: str) -> None:
    empty = SqlVisitors(lambda: history_url, "postgres")
    assert (empty.newest_ms(["ann"]), empty.count(["ann"], NOW_MS), empty.events(["ann"])) == (None, 0, [])
    assert empty.erase(erasure("ann")) == 0


def test_ids_that_postgres_cannot_store_are_found(history: History) -> None:
    history.write(history.batch(event("a\0b"), event("?")))
    assert history.visitors.count(["\ud800"], NOW_MS) == 0  # an argument that is not UTF-8
    assert history.visitors.erase(erasure("a\0b")) == 1
    assert history.users() == ["?"]


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(redis_url: str, history_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_all(**more: str) -> None:
        for name, value in ({"REDIS_URL": redis_url, "HISTORY_URL": history_url} | more).items():
            monkeypatch.setenv(name, value)

    set_all()
    return set_all


def forgotten(*users: str, is_dry: bool = False) -> dict[str, dict[str, Line]]:
    with opened_site("test", Event(), opened_history) as site:
        report = Forgetting(site, users, 0, is_dry=is_dry, settle_seconds=0).run()
    return {user: {line.place: line for line in lines} for user, lines in report.items()}


@pytest.mark.usefixtures("environment")
def test_the_report_says_how_many_events_were_deleted(history: History) -> None:
    history.write(history.batch(event("ann"), event("bob"), event("ann", DAY_MS), event("cyd")))
    assert forgotten("ann", is_dry=True)["ann"]["events in PostgreSQL"][1:3] == (2, 0)
    assert len(history.users()) == 4
    found = forgotten("ann", "bob", "nobody")
    assert [found[user]["events in PostgreSQL"][1:3] for user in found] == [(2, 2), (1, 1), (0, 0)]
    assert forgotten("ann")["ann"]["events in PostgreSQL"][1:3] == (0, 0)
    assert history.users() == ["cyd"]


@pytest.mark.usefixtures("environment")
def test_who_returned_so_long_ago_that_only_sql_knows_is_forgotten_again(history: History, redis_url: str) -> None:
    with connect(redis_url) as client:
        ErasureList(client, "").erase({token_of("ann")}, NOW_MS - 3 * DAY_MS, KEPT_MS)
    history.visitors.erase(erasure("ann", NOW_MS - 3 * DAY_MS))
    history.at = history.claim()
    history.write(history.batch(event("ann", 2 * DAY_MS), arrived_ms=NOW_MS - 2 * DAY_MS))
    assert forgotten("ann")["ann"]["events in PostgreSQL"].removed == 1
    assert history.users() == []


def test_pseudonyms_of_past_months_are_found(history: History, environment: Callable[..., None]) -> None:
    environment(HASH_USER_ID="daily", HASH_SALT=SECRET)
    old = pseudonym_of("ann", derived_salt(SECRET, period_of(NOW_MS - 25 * DAY_MS, "daily")))
    history.write(history.batch(event(old, 25 * DAY_MS), event("bob")))
    assert forgotten("ann")["ann"]["events in PostgreSQL"].removed == 1
    assert history.users() == ["bob"]
    tokens = {token for (token,) in history.query("SELECT token FROM history_erasures")}
    today = pseudonym_of("ann", derived_salt(SECRET, period_of(NOW_MS, "daily")))
    assert token_of(today) in tokens
    assert token_of("ann") not in tokens  # beside the pseudonyms it would tell whose they are


def test_an_unreachable_postgres_is_an_error_that_says_what_was_done(
    environment: Callable[..., None], history_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(HISTORY_URL="postgresql://ann:hunter2@127.0.0.1:1/clickpulse", REDIS_PREFIX="p:")
    assert forget.main(["ann", "--wait", "0"], opened_history) == 1
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if line.startswith("events in PostgreSQL"))
    assert "not erased: PostgreSQL at 127.0.0.1:1/clickpulse: connection" in line
    assert "visitor lookup" in printed
    assert export.main(["ann"], opened_history) == 1
    both = capsys.readouterr()
    assert both.out == ""
    assert "hunter2" not in both.err
    environment(HISTORY_URL=history_url)
    assert forget.main(["ann", "--wait", "0"], opened_history) == 0
    assert "not erased" not in capsys.readouterr().out


@pytest.mark.usefixtures("environment")
def test_export_has_the_events_with_their_texts(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    bought = event("ann", productId="P1", country="DE", value="19.99", eventType="purchase", quantity=2)
    history.write(history.batch(bought, event("bob"), event("ann", DAY_MS)))
    assert export.main(["ann"], opened_history) == 0
    found: Sequence[dict[str, Any]] = msgspec.json.decode(capsys.readouterr().out)["history"]
    assert [item["event_type"] for item in found] == ["page_view", "purchase"]
    bought_at = datetime.fromtimestamp(bought.timestamp / 1000, UTC)
    assert datetime.fromisoformat(found[1]["ts"]) == bought_at
    expected = {"visitor": "ann", "product": "P1", "country": "DE", "value": "19.990000", "quantity": 2}
    assert {name: found[1][name] for name in expected} == expected
    assert "site" not in found[1]
