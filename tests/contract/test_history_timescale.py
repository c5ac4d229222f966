"""History on a PostgreSQL with TimescaleDB: figures as on a plain one, whatever is compressed and dropped meanwhile."""

import random
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from services.history.rows import Outcomes
from services.history.sql.connecting import connect
from services.history.sql.migrating import migrate
from services.history.sql.store import Store
from services.history.sql.visitors import SqlVisitors
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.events.time_units import DAY_MS
from shared.privacy.erasures import token_of
from shared.privacy.visitor_history import VisitorErasure
from shared.streams.event_log import Record
from tests.conftest import or_skip
from tests.contract.test_history_store import TOPIC, batch, claim
from tests.support import history_api
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.servers.timescale.server import Timescale, running_timescale

DOCUMENT = Path(__file__).parents[2] / "docs" / "history.md"
NOW_MS = time.time_ns() // 1_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
TODAY = NOW.date()
RAW_DAYS = 30
HOUR_MS = 3_600_000
COMPRESS = "SELECT compress_chunk(chunk, true) FROM show_chunks('events') AS chunk"
JOBS = "SELECT job_id FROM timescaledb_information.jobs WHERE job_id >= 1000"
COMPRESSED = (
    "SELECT range_start::date FROM timescaledb_information.chunks WHERE hypertable_name = 'events' AND is_compressed"
)
FULLY_COMPRESSED = (
    "SELECT count(*) FROM _timescaledb_catalog.chunk JOIN timescaledb_information.chunks ON chunk_name = table_name "
    "WHERE hypertable_name = 'events' AND status = 1"
)
"""Also without rows beside the compressed ones."""
PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Timescale]:
    with or_skip(lambda: running_timescale(tmp_path_factory.mktemp("timescale") / "log")) as server:
        yield server


@pytest.fixture
def url(server: Timescale) -> str:
    return server.new_database(uuid.uuid4().hex)


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.SQL(statement))
        return cursor.fetchall() if cursor.description else []


def run_jobs(url: str) -> None:
    """Run the jobs now, as the server's workers do by schedule."""
    for (job,) in query(url, JOBS):
        query(url, f"CALL run_job({job})")


def retire(url: str, *, raw_days: int = RAW_DAYS) -> None:
    history_api.retire(url, today=TODAY, raw_days=raw_days)


def write(url: str, events: Sequence[EnrichedEvent]) -> Outcomes:
    """Store the events with a connection of its own, as after a restart."""
    with closing(Store(lambda: url, TOPIC)) as store:
        place = claim(store)
        first = place.next_offset
        log = [Record(0, first + n, NOW_MS, None, encode_enriched(event)) for n, event in enumerate(events)]
        return store.write(batch(log), {0: place})[0]


def event(chance: random.Random) -> EnrichedEvent:
    """One of few visitors and orders, on one of a few days."""
    number = chance.randrange(40)
    is_order = chance.random() < 0.3
    return EnrichedEvent(
        timestamp=NOW_MS - chance.choice([0, 0, 1, 9, 29, 33]) * DAY_MS - chance.randrange(2 * HOUR_MS),
        userId=f"v{number % 5}",
        eventId=chance.choice([None, f"e{number}"]),
        productId=chance.choice([None, "P1", "P2"]),
        country=chance.choice(["DE", "FR"]),
        deviceType=chance.choice(["Desktop", "Mobile", "Bot"]),
        url=chance.choice([None, "https://shop.example/a", "https://shop.example/b"]),
        eventType="purchase" if is_order else None,
        value=str(number) if is_order else None,
        orderId=f"o{number % 7}" if is_order else None,
        currency="EUR" if is_order else None,
    )


def kept(url: str) -> list[tuple[Any, ...]]:
    """The texts and times of everything that is stored, and what was counted."""
    return query(
        url,
        "SELECT ts, v.name, n.name, sale::text, value FROM events JOIN visitors v ON v.id = visitor_id "
        "LEFT JOIN names n ON n.id = page_id ORDER BY 1, 2, 3, 4, 5",
    )


def test_figures_are_those_of_a_plain_database_whatever_is_compressed(url: str, history_url: str) -> None:
    chance = random.Random(20)
    batches = [[event(chance) for _ in range(40)] for _ in range(3)]
    batches.append([*batches[0], *batches[1][:10]])  # sent again
    for own in (url, history_url):
        migrate(partial(str, own))
        retire(own)
    assert query(url, "SELECT hypertable_name FROM timescaledb_information.hypertables") >= [("events",)]
    for events in batches:
        assert write(url, events) == write(history_url, events)
        query(url, COMPRESS)
        assert len(query(url, COMPRESSED)) >= 4
    assert kept(url) == kept(history_url)
    assert wrong_rows(url) == []
    # A batch decompresses its own days; an order that replaces another one, what holds that one.
    order, earlier = (order_at(ago_ms=days * DAY_MS) for days in (1, 9))
    for own in (url, history_url):
        write(own, [order])
    query(url, COMPRESS)
    fully = query(url, FULLY_COMPRESSED)[0][0]
    for own in (url, history_url):
        write(own, [earlier])
    assert query(url, FULLY_COMPRESSED) == [(fully - 2,)]
    assert earlier.datetime.date() not in [compressed for (compressed,) in query(url, COMPRESSED)]
    assert wrong_rows(url) == []
    assert migrate(lambda: url) == []
    questions: list[tuple[str, dict[str, Any]]] = [
        ("timeseries", {"interval": "hour"}),
        ("breakdown", {"by": "page", "country": "DE"}),
        ("aggregate", {"deviceType": ["Desktop", "Mobile"], "country": "FR"}),
        ("events", {"limit": 50}),
    ]
    with history_api.serving(url, questions=1) as timescale, history_api.serving(history_url) as plain:
        for kind, parameters in questions:
            span = {"from_": str(TODAY - timedelta(days=10)), "to": str(TODAY + timedelta(days=1))}
            answer = timescale.said(kind, **span, **parameters)
            assert answer == plain.said(kind, **span, **parameters)


def test_days_are_one_chunk_each_in_utc_and_retention_drops_them_for_good(url: str) -> None:
    migrate(lambda: url)
    days = [event_at(ago_ms=days * DAY_MS) for days in range(12)]
    assert write(url, days).kept == 12
    bounds = query(
        url,
        "SELECT range_start, range_end - range_start FROM timescaledb_information.chunks "
        "WHERE hypertable_name = 'events' ORDER BY 1",
    )
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    assert bounds == [(midnight - timedelta(days=11 - n), timedelta(days=1)) for n in range(12)]
    retire(url)
    run_jobs(url)
    compressed = [day for (day,) in query(url, COMPRESSED)]
    assert compressed
    assert max(compressed) < TODAY - timedelta(days=7)
    assert query(url, "SELECT sum(views) FROM views_1h") == [(12,)]
    retire(url, raw_days=8)
    assert query(url, "SELECT kept_from, (SELECT count(*) FROM events) FROM history_raw") == [
        (TODAY - timedelta(days=8), 9)
    ]
    late = write(url, [event_at(ago_ms=9 * DAY_MS), event_at(ago_ms=7 * DAY_MS, user="bea")])
    assert (late.kept, late.expired) == (1, 1)
    run_jobs(url)
    # What was counted of dropped days stays; a late event of a day that is kept came in.
    assert query(url, "SELECT sum(views) FROM views_1h") == [(13,)]
    assert query(
        url, "SELECT config ->> 'start_offset' FROM timescaledb_information.jobs WHERE config ? 'start_offset'"
    ) == [("8 days",)]


def order_at(*, ago_ms: int) -> EnrichedEvent:
    return EnrichedEvent(timestamp=NOW_MS - ago_ms, userId="ada", eventType="purchase", value="5", orderId="twice")


def event_at(*, ago_ms: int, user: str = "ada") -> EnrichedEvent:
    return EnrichedEvent(timestamp=NOW_MS - ago_ms, userId=user, url="https://shop.example/a", deviceType="Desktop")


def test_forgetting_reaches_compressed_days_and_leaves_others_compressed(url: str) -> None:
    migrate(lambda: url)
    write(url, [event_at(ago_ms=n * DAY_MS // 6, user=user) for n in range(36) for user in ("ada", "bea")])
    write(url, [event_at(ago_ms=3 * DAY_MS, user="cyd")])
    query(url, COMPRESS)
    visitors = SqlVisitors(lambda: url, "timescale")
    compressed = query(url, FULLY_COMPRESSED)[0][0]
    assert visitors.erase(VisitorErasure(["cyd"], NOW_MS, [token_of("cyd")])) == 1
    assert query(url, FULLY_COMPRESSED) == [(compressed - 1,)]
    assert len(visitors.events(["ada"])) == 36
    assert visitors.erase(VisitorErasure(["ada"], NOW_MS, [token_of("ada")])) == 36
    assert visitors.events(["ada"]) == []
    with connect(lambda: url) as connection:  # however many that are
        assert connection.execute("SHOW timescaledb.max_tuples_decompressed_per_dml_transaction").fetchall() == [("0",)]
    assert len(visitors.events(["bea"])) == 36
    assert query(url, "SELECT name FROM visitors") == [("bea",)]
    # The rollups, and so the aggregate, name nobody; the aggregate counts again.
    query(url, "CALL refresh_continuous_aggregate('views_1h', NULL, NULL)")
    assert query(url, "SELECT sum(views) FROM views_1h") == [(36,)]


def test_the_statements_of_the_docs_run(url: str) -> None:
    found = re.search(r"<!-- test: timescale -->\n```sql\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found is not None
    migrate(lambda: url)
    write(url, [EnrichedEvent(timestamp=NOW_MS, userId="ada", productId="P1", url="https://shop.example/a")])
    examples = [example.strip() for example in found[1].split(";\n") if example.strip()]
    answers = {example: query(url, example) for example in examples}
    silent = [example for example, rows in answers.items() if not rows]
    assert [
        statement for example in silent for statement in re.findall("^(?:CREATE|CALL|SELECT)", example, re.MULTILINE)
    ] == ["CREATE", "SELECT", "CALL"]
    assert answers[examples[-1]] == [(NOW.replace(hour=0, minute=0, second=0, microsecond=0), "P1", None, None, 1)]


def test_where_the_server_does_not_load_it_there_are_partitions_which_stay(server: Timescale) -> None:
    url = server.new_database("unloaded")
    with capture_logs() as logs:
        assert "0010_aggregates.sql" not in migrate(lambda: url)
    assert logs == [
        {"event": "TimescaleDB not used", "log_level": "warning", "reason": "it is not in shared_preload_libraries"}
    ]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
    assert migrate(lambda: url) == []
    assert write(url, [event_at(ago_ms=0)]).kept == 1
    retire(url)
    assert query(url, PARTITIONS) == [(2,)]


def test_where_the_extension_cannot_be_created_there_are_partitions(url: str) -> None:
    query(url, "CREATE SCHEMA _timescaledb_catalog")
    with capture_logs() as logs:
        assert "0010_aggregates.sql" not in migrate(lambda: url)
    (said,) = logs
    assert (said["event"], said["log_level"]) == ("TimescaleDB not used", "warning")
    assert "_timescaledb_catalog" in said["reason"]
    assert write(url, [event_at(ago_ms=0)]).kept == 1
    assert query(url, PARTITIONS) == [(1,)]
