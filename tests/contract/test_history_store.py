"""History's store on a real PostgreSQL: SQL equals a count by brute force, whatever the order, batches and failures."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Self

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.history.failures import DatabaseUnavailable, RowsRefused, StaleOffsets
from services.history.rows import Batch, build_batch, name_digest
from services.history.sql.connecting import LOCK_KEY
from services.history.sql.days import create_day
from services.history.sql.migrating import SCHEMA, migrate
from services.history.sql.session import Session
from services.history.sql.store import Place, Store
from services.history.traffic import DIMENSIONS
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS
from shared.links.links import campaign_by, channel_by, link_of
from shared.links.pages import page_of
from shared.links.sources import source_of
from shared.privacy.erasures import NO_ERASURES
from shared.runtime.dependency import Stopped
from shared.runtime.settings import ConfigurationError
from shared.streams.event_log import Assignment, Record
from shared.streams.kafka.start_offset import Verdict
from tests.support.oracle.recomputed_history import wrong_rows

TOPIC = "enriched"
TODAY = date(2026, 11, 28)
NOW_MS = int(datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp() * 1000)
RAW_DAYS = 30
BUCKETS = {"traffic_1m": "minute", "traffic_1h": "hour", "traffic_1d": "day"}
TRUNCATE = (
    "UPDATE history_raw SET batches = batches + 1; "
    "TRUNCATE history_offsets, events, orders, sessions, traffic_1m, traffic_1h, traffic_1d, sales_1m, sales_1h, "
    "sales_1d, sessions_1m, sessions_1h, sessions_1d"
)

pytestmark = pytest.mark.timeout(300)


class Interrupted(Exception):  # noqa: N818
    """What a test raises within a transaction."""


class Interruptible(Store):
    """Fails at the end of its transactions on request."""

    is_failing = False

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with super()._transaction() as opened:
            yield opened
            if self.is_failing:
                raise Interrupted


@pytest.fixture
def store(history_url: str) -> Iterator[Interruptible]:
    migrate(lambda: history_url)
    store = Interruptible(lambda: history_url, TOPIC)
    retire(store)
    yield store
    store.close()


def retire(store: Store, *, today: date = TODAY, raw_days: int = RAW_DAYS) -> list[date]:
    return store.retire(today, raw_days=raw_days, minute_days=400)


def event(user: str = "ada", *, ago_ms: int = 1000, event_id: str | None = None, **fields: Any) -> EnrichedEvent:
    return EnrichedEvent(timestamp=NOW_MS - ago_ms, userId=user, eventId=event_id, **fields)


def records(events: Sequence[EnrichedEvent], *, first_offset: int = 0, partition: int = 0) -> list[Record]:
    return [
        Record(partition, offset, NOW_MS, None, encode_enriched(own)) for offset, own in enumerate(events, first_offset)
    ]


def batch(of: Sequence[Record]) -> Batch:
    return build_batch(of, decode_enriched, NO_ERASURES.erases)


def claim(store: Store, *, partition: int = 0, end: int = 1_000_000, topic_id: str = "a", begin: int = 0) -> Place:
    return store.claim(Assignment(partition, begin, end, topic_id))


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return connection.execute(sql.SQL(statement)).fetchall()


def rollup(url: str, table: str) -> dict[tuple[Any, ...], tuple[int, int]]:
    rows = query(
        url,
        f"SELECT bucket, s.name, dimension, n.name, views, visitors FROM {table} "
        "JOIN names s ON s.id = site_id JOIN names n ON n.id = name_id",
    )
    return {row[:4]: row[4:] for row in rows}


def brute_force(events: Sequence[EnrichedEvent], span: str) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Views and distinct visitors by bucket, site, dimension and name, of what counts of these events."""
    users: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    known: set[tuple[str, str, date]] = set()
    for own in events:
        at = own.datetime
        if at.date() < TODAY - timedelta(days=RAW_DAYS):
            continue
        if own.eventId:
            key = (own.userId, str(own.eventId), at.date())
            if key in known:
                continue
            known.add(key)
        reset = {"minute": {"second": 0}, "hour": {"minute": 0, "second": 0}}
        start = at.replace(microsecond=0, **reset.get(span, {"hour": 0, "minute": 0, "second": 0}))  # type: ignore[arg-type]
        names = {
            "all": "",
            "category": own.category,
            "product": own.productId,
            "country": own.country,
            "device": own.deviceType,
            "browser": own.browser,
            "operating_system": own.operatingSystem,
            "event_type": own.eventType or "page_view",
            **origins(own),
        }
        for dimension, name in names.items():
            if name is not None:
                users[start, own.site or "", dimension, name].append(own.userId)
    return {key: (len(own), len(set(own))) for key, own in users.items()}


def origins(own: EnrichedEvent) -> dict[str, str | None]:
    return {
        "source": source_of(own.referrer, own.url),
        "channel": channel_by(link_of(own.referrer), link_of(own.url)),
        "campaign": campaign_by(link_of(own.url)),
        "page": page_of(own.url),
    }


def assert_equals(url: str, events: Sequence[EnrichedEvent]) -> None:
    for table, span in BUCKETS.items():
        assert rollup(url, table) == brute_force(events, span)
    assert wrong_rows(url) == []


EVENTS = st.builds(
    event,
    st.sampled_from(["ada", "ada", "bea", "cy\0d"]),
    ago_ms=st.one_of(
        st.sampled_from([0, 60_000, 3_600_000]),
        st.sampled_from([number * 1_800_000 + rest for number in range(5) for rest in (-1, 0, 1, 1000)][1:]),
        st.integers(0, 180_000),
        st.integers(0, 3 * DAY_MS),
        st.integers(0, 35 * DAY_MS),
        st.just(12 * 3_600_000),  # midnight
        st.just(12 * 3_600_000 + 1),
    ),
    event_id=st.one_of(st.none(), st.sampled_from(["e1", "e2"])),
    category=st.sampled_from([None, "shoes", "coats"]),
    productId=st.sampled_from([None, "P1", "P2"]),
    country=st.sampled_from(["DE", "FR"]),
    deviceType=st.sampled_from(["Desktop", "Desktop", "Bot"]),
    site=st.sampled_from([None, "shop.example"]),
    eventType=st.sampled_from([None, "purchase"]),
    url=st.sampled_from([None, "https://shop.example/a?utm_campaign=spring", "https://shop.example/b", "no URL"]),
    referrer=st.sampled_from([None, "https://www.google.com/", "https://shop.example/b"]),
)


@given(data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_equals_brute_force_for_any_batches_and_failures(
    history_url: str, store: Interruptible, data: st.DataObject
) -> None:
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute(TRUNCATE)
    events = data.draw(st.lists(EVENTS, max_size=30))
    log = records(events)
    stored, place = 0, claim(store)
    while stored < len(log):
        length = data.draw(st.integers(1, 8))
        of = log[stored : stored + length]
        failure = data.draw(st.sampled_from(["none", "none", "aborted", "repeated", "restarted"]))
        if failure == "aborted":  # then cut in another way
            store.is_failing = True
            with pytest.raises(Interrupted):
                store.write(batch(of), {0: place})
            store.is_failing = False
            continue
        store.write(batch(of), {0: place})
        if failure == "repeated":
            with pytest.raises(StaleOffsets):
                store.write(batch(of), {0: place})
        elif failure == "restarted":
            store.close()
        stored += len(of)
        place = claim(store)
        assert place == Place("a", stored)
    assert_equals(history_url, list(map(shown, events)))
    if events:
        (counts,) = query(
            history_url, "SELECT kept, kept + duplicates + expired + erased + refused FROM history_offsets"
        )
        assert counts == (query(history_url, "SELECT count(*) FROM events")[0][0], len(events))


def shown(own: EnrichedEvent) -> EnrichedEvent:
    """The event with its visitor as it is stored."""
    return msgspec.structs.replace(own, userId=own.userId.replace("\0", "\ufffd"))


def test_a_stale_writer_stores_nothing(history_url: str, store: Store) -> None:
    place = claim(store)
    other = Store(lambda: history_url, TOPIC)
    assert claim(other) == place
    store.write(batch(records([event("ada"), event("bea")])), {0: place})
    with pytest.raises(StaleOffsets):
        other.write(batch(records([event("ada")])), {0: place})
    assert query(history_url, "SELECT count(*) FROM events") == [(2,)]
    assert claim(other) == Place("a", 2)
    other.write(batch(records([event("cyd")], first_offset=2)), {0: claim(other)})
    other.close()
    assert query(history_url, "SELECT count(*), max(next_offset) FROM events, history_offsets") == [(3, 3)]


def test_one_stale_partition_aborts_the_whole_batch(history_url: str, store: Store) -> None:
    places = {number: claim(store, partition=number) for number in (0, 1)}
    store.write(batch(records([event()], partition=1)), places)
    both = [*records([event("bea")]), *records([event()], partition=1)]
    with pytest.raises(StaleOffsets):
        store.write(batch(both), places)
    assert query(history_url, "SELECT partition, next_offset FROM history_offsets ORDER BY 1") == [(0, 0), (1, 1)]


def test_a_stop_gives_a_batch_up_of_which_nothing_is_stored(store: Store, history_url: str) -> None:
    stop = Event()
    with closing(Store(lambda: history_url, TOPIC, stop)) as stopping:
        place = claim(stopping)
        stop.set()
        with pytest.raises(Stopped):
            stopping.write(batch(records([event()])), {0: place})
    assert_equals(history_url, [])
    assert claim(store) == place
    store.write(batch(records([event()])), {0: place})
    assert_equals(history_url, [event()])


class Recording(psycopg.Cursor[Any]):
    """Notes what it sends."""

    sent: ClassVar[list[tuple[Any, Any]]] = []

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        self.sent.append((query, params))
        return super().execute(query, params, **options)


def test_a_day_without_statistics_is_not_compared_with_the_batch(store: Store, history_url: str) -> None:
    def rows(first: int) -> Batch:
        of = [event(f"visitor {number}", event_id="e") for number in range(first, first + 500)]
        return batch(records(of, first_offset=first))

    for first in range(0, 3000, 500):
        store.write(rows(first), {0: claim(store)})
    session = Session(lambda: history_url, Event())
    with closing(session.connection) as connection, connection.transaction():
        cursor = Recording(connection)
        # Half of them are there, and their visitors with them.
        session.insert(cursor, {TODAY: rows(2750).rows})
        lookups = [own for own in Recording.sent if "unnest" in str(own[0]) and f"events_{TODAY:%Y%m%d}" in str(own[0])]
        plans = [cursor.execute(sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + own, of).fetchone() for own, of in lookups]
    assert len(plans) == 2, "one for duplicates, and one for what the visitors did that day"
    assert all(rows_looked_at(found[0][0]["Plan"]) < 5 * 500 for found in plans if found is not None)


def rows_looked_at(plan: dict[str, Any]) -> int:
    """By the step of a plan that looks at the most."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Join Filter", 0) + plan.get("Rows Removed by Filter", 0)
    return max([int(own * plan["Actual Loops"]), *map(rows_looked_at, plan.get("Plans", []))])


def test_a_writer_waits_for_another_and_both_count_a_visitor_once(history_url: str, store: Store) -> None:
    """The same visitor on two partitions, stored by two replicas."""
    other = Store(lambda: history_url, TOPIC)
    places = {0: claim(store, partition=0), 1: claim(other, partition=1)}
    with ThreadPoolExecutor(2) as threads:
        with psycopg.connect(history_url) as blocking:
            blocking.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
            writes = [
                threads.submit(store.write, batch(records([event("ada")])), places),
                threads.submit(other.write, batch(records([event("ada", ago_ms=2000)], partition=1)), places),
            ]
            _, pending = wait(writes, timeout=0.5)
            assert len(pending) == 2
        assert [write.result(30).popitem()[1].kept for write in writes] == [1, 1]
    other.close()
    assert rollup(history_url, "traffic_1d")[datetime(2026, 11, 28, tzinfo=UTC), "", "all", ""] == (2, 1)


def test_a_recreated_topic_is_read_from_its_beginning(store: Store) -> None:
    store.write(batch(records([event(event_id="a"), event(event_id="b")])), {0: claim(store)})
    assert claim(store) == Place("a", 2)
    assert claim(store, topic_id="") == Place("a", 2)  # unknown for now
    assert claim(store, topic_id="b", end=5) == Place("b", 0, Verdict.RECREATED, None)
    assert claim(store, topic_id="b") == Place("b", 0)
    again = store.write(batch(records([event(event_id="b"), event(event_id="c")])), {0: Place("b", 0)})
    assert (again[0].kept, again[0].duplicates) == (1, 1)
    assert claim(store, topic_id="b", begin=7) == Place("b", 7, Verdict.EXPIRED, 5)


def test_records_that_left_the_topic_unread_are_counted_once(history_url: str, store: Store) -> None:
    store.write(batch(records([event()])), {0: claim(store, begin=0)})
    assert claim(store, begin=5) == Place("a", 5, Verdict.EXPIRED, 4)
    assert claim(store, begin=5) == Place("a", 5)
    assert claim(store, begin=3) == Place("a", 5)  # which another broker still has
    assert claim(store, begin=7).lost == 2
    uncounted = Assignment(0, 9, 10**6, "a", counts_records=False)
    assert store.claim(uncounted) == Place("a", 9, Verdict.EXPIRED, None)
    assert query(history_url, "SELECT lost, kept FROM history_offsets") == [(6, 1)]


def test_retention_drops_days_and_late_events_of_those_expire(history_url: str, store: Store) -> None:
    days = [event(f"v{ago}", ago_ms=ago * DAY_MS) for ago in (0, 1, 29, 30, 31)]
    outcomes = store.write(batch(records(days)), {0: claim(store)})
    assert (outcomes[0].kept, outcomes[0].expired) == (4, 1)
    assert retire(store, raw_days=2) == [date(2026, 10, 29), date(2026, 10, 30)]
    assert query(history_url, "SELECT count(*) FROM events") == [(2,)]
    # Raising it again does not reopen a day whose visitors are forgotten.
    assert retire(store, raw_days=60) == []
    late = store.write(batch(records([event("v29", ago_ms=29 * DAY_MS)], first_offset=5)), {0: claim(store)})
    assert (late[0].kept, late[0].expired) == (0, 1)
    assert query(history_url, "SELECT sum(views), sum(visitors) FROM traffic_1d WHERE dimension = 'all'") == [(4, 4)]
    store.retire(TODAY + timedelta(days=400), raw_days=30, minute_days=400)
    assert {row[0].date() for row in query(history_url, "SELECT bucket FROM traffic_1m")} == {TODAY}
    assert len(query(history_url, "SELECT DISTINCT bucket FROM traffic_1h")) == 4


def test_a_long_query_delays_dropping_and_nothing_else(history_url: str, store: Store) -> None:
    days = [event(f"v{ago}", ago_ms=ago * DAY_MS) for ago in (0, 28, 29)]
    store.write(batch(records(days)), {0: claim(store)})
    with psycopg.connect(history_url) as reader:
        reader.execute("SELECT count(*) FROM events")
        assert retire(store, raw_days=2) == []
        outcomes = store.write(batch(records(days, first_offset=3)), {0: claim(store)})
        assert (outcomes[0].kept, outcomes[0].expired) == (1, 2)
    assert retire(store, raw_days=2) == [date(2026, 10, 30), date(2026, 10, 31)]


def test_partitions_of_today_and_tomorrow_exist_ahead(history_url: str, store: Store) -> None:
    assert store.claim(Assignment(0, 0, 0))
    names = query(history_url, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass")
    assert sorted(names) == [("events_20261128",), ("events_20261129",)]


def test_everything_that_an_event_holds_is_stored(history_url: str, store: Store) -> None:
    whole = event(
        "bea\0",
        event_id="\0",
        original_timestamp=253_402_300_799_999,
        ip="2001:db8::1",
        userAgent="\0",
        productId="P" * 256,
        category="shoes",
        title="é\U0001f462" * 100,
        gender="F",
        age=150,
        birthdate="1970-01-01",
        url="https://shop.example/" + "é" * 1000,
        referrer="",
        profileGender="M",
        profileAge=0,
        value="-1000000000000",
        currency="EUR",
        quantity=10**9,
        orderId="o",
        cost="0.000001",
        platform="web",
        site="shop.example",
    )
    odd = event("ada", value="NaN", cost="1e999")
    store.write(batch(records([whole, odd])), {0: claim(store)})
    first, second = query(
        history_url,
        "SELECT v.name, event_id, a.name, u.name, value, cost, quantity, age, profile_age, original_ts::text "
        "FROM events JOIN visitors v ON v.id = visitor_id LEFT JOIN names a ON a.id = user_agent_id "
        "LEFT JOIN names u ON u.id = url_id ORDER BY v.name DESC",
    )
    assert first[:4] == ("bea\ufffd", "\ufffd", "\ufffd", "https://shop.example/" + "é" * 1000)
    assert [str(value) for value in first[4:6]] == ["-1000000000000.000000", "0.000001"]
    assert first[6:] == (10**9, 150, 0, "9999-12-31 23:59:59.999+00")
    assert second[4:6] == (None, None)


def test_a_refused_row_is_told_from_an_outage(history_url: str, store: Store) -> None:
    place = claim(store)
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE events ADD CHECK (age <> 77)")
    with pytest.raises(RowsRefused, match=r"CheckViolation .* at events_age_check"):
        store.write(batch(records([event(age=77)])), {0: place})
    store.write(batch(records([event("zoe")])), {0: place})
    with psycopg.connect(history_url, autocommit=True) as connection:
        connection.execute("DROP TABLE events_20261128")
    second, place = batch(records([event("zoe")], first_offset=1)), Place("a", 1)
    with pytest.raises(DatabaseUnavailable, match="does not exist"):  # it knew the partition
        store.write(second, {0: place})
    store.write(second, {0: place})
    assert query(history_url, "SELECT count(*) FROM events") == [(1,)]


def test_migrating_twice_changes_nothing_and_a_newer_schema_is_left_alone(history_url: str, tmp_path: Path) -> None:
    assert migrate(lambda: history_url) == [path.name for path in sorted(SCHEMA.iterdir())]
    assert migrate(lambda: history_url) == []
    for path in SCHEMA.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "9001_more.sql").write_text("CREATE TABLE more (id integer);")
    (tmp_path / "9002_wrong.sql").write_text("CREATE TABLE most (id integer); SELECT 1 / 0;")
    with pytest.raises(RowsRefused):
        migrate(lambda: history_url, tmp_path)
    assert query(history_url, "SELECT to_regclass('more')") == [(None,)]
    (tmp_path / "9002_wrong.sql").unlink()
    assert migrate(lambda: history_url, tmp_path) == ["9001_more.sql"]
    with pytest.raises(ConfigurationError, match="version 9001"):
        migrate(lambda: history_url)


def test_a_database_of_the_first_schema_takes_further_events(history_url: str, tmp_path: Path) -> None:
    first = SCHEMA / "0001_history.sql"
    (tmp_path / first.name).write_text(first.read_text())
    migrate(lambda: history_url, tmp_path)
    with psycopg.connect(history_url) as connection, connection.cursor() as cursor:
        create_day(cursor, TODAY)
        cursor.execute("INSERT INTO visitors (digest, name) VALUES (%s, 'ada')", [name_digest("ada")])
        cursor.execute(
            "INSERT INTO events (ts, visitor_id, site_id, event_type_id, country_id, device_id, browser_id, "
            "operating_system_id, gender_id) VALUES ('2026-11-28 11:00Z', 1, 0, 0, 0, 0, 0, 0, 0)"
        )
    assert migrate(lambda: history_url) == [path.name for path in sorted(SCHEMA.iterdir())[1:]]
    with closing(Store(lambda: history_url, TOPIC)) as store:
        store.write(batch(records([event("ada", url="/shoes")])), {0: claim(store)})
    assert query(
        history_url,
        "SELECT s.name, p.name FROM events LEFT JOIN names s ON s.id = source_id "
        "LEFT JOIN names p ON p.id = page_id ORDER BY ts",
    ) == [(None, None), ("Direct", "/shoes")]
    assert rollup(history_url, "traffic_1d")[datetime(2026, 11, 28, tzinfo=UTC), "", "page", "/shoes"] == (1, 1)


def test_every_dimension_of_the_schema_is_counted(history_url: str, store: Store) -> None:
    assert store.claim(Assignment(0, 0, 0))
    (values,) = query(history_url, "SELECT enum_range(NULL::traffic_dimension)::text[]")
    assert values[0] == list(DIMENSIONS)
