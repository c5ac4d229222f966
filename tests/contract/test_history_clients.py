"""History's tables through other people's clients: psql, pandas, DuckDB, Grafana's queries, pg_dump, pg_restore."""

import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg import conninfo, sql

from services.history.embedded import client_program
from services.history.rows import Batch, build_batch
from services.history.sql.migrating import migrate
from services.history.sql.store import Place, Store
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES
from shared.streams.event_log import Assignment, Record
from tests.support.oracle.recomputed_history import wrong_rows
from tests.support.servers.postgres import Postgres, reachable_folder

DOCUMENT = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
NOW_MS = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
COUNTRIES = ("DE", "FR", "DE")
CLICKPULSE = (sys.executable, "-m", "services.cli")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the wheel's clients are not for Windows")


def documented(name: str) -> str:
    """The statements after a mark in docs/history.md."""
    found = re.search(rf"<!-- test: {name} -->\n```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def batch(first: int, number: int) -> Batch:
    records = [
        Record(0, place, NOW_MS, None, encode_enriched(event_of(place))) for place in range(first, first + number)
    ]
    return build_batch(records, decode_enriched, NO_ERASURES.erases)


def event_of(place: int) -> EnrichedEvent:
    return EnrichedEvent(
        timestamp=NOW_MS - place * HOUR_MS, userId=f"v{place % 7}", country=COUNTRIES[place % 3], eventId=f"e{place}"
    )


def claim(store: Store) -> Place:
    return store.claim(Assignment(0, 0, 10**6, "a"))


@pytest.fixture
def stored_url(history_url: str) -> str:
    """The URL of history's tables, with 30 events."""
    migrate(lambda: history_url)
    store = Store(lambda: history_url, "enriched")
    store.write(batch(0, 30), {0: claim(store)})
    store.close()
    return history_url


@pytest.fixture
def role_of(stored_url: str) -> Iterator[Callable[[str], str]]:
    """Creates the documented role of a name, under another one, and returns a URL with it."""
    created = []

    def create(name: str) -> str:
        role = f"{name}_{uuid.uuid4().hex[:8]}"
        run(stored_url, documented(name).replace(f"clickpulse_{name}", role))
        created.append(role)
        return conninfo.make_conninfo(stored_url, user=role)

    yield create
    for role in created:
        run(stored_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def run(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statements))


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.SQL(statement)).fetchall()


def psql(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*CLICKPULSE, "history", "sql", *arguments]
    return subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, timeout=60
    )


# --- psql ------------------------------------------------------------------------------------------------------------


def test_psql_opens_on_the_url_and_gets_the_arguments(stored_url: str) -> None:
    found = psql({"HISTORY_URL": stored_url}, "-At", "-c", "SELECT count(*), '%s' FROM events")
    assert (found.returncode, found.stdout, found.stderr) == (0, "30|%s\n", "")
    assert psql({"HISTORY_URL": stored_url}, "-v", "ON_ERROR_STOP=1", "-c", "SELECT 1 / 0").returncode == 1


def test_psql_gets_the_password_where_no_list_of_processes_shows_it(tmp_path: Path) -> None:
    fake = tmp_path / "psql"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\necho "password: $PGPASSWORD"\n')
    fake.chmod(0o755)
    environment = {"HISTORY_URL": "postgresql://ann:hunter2@db.example/clicks", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    lines = psql(environment, "-l").stdout.splitlines()
    assert lines == ["user=ann dbname=clicks host=db.example", "-l", "password: hunter2"]


def test_psql_opens_on_the_data_of_history_that_does_not_run() -> None:
    with reachable_folder() as folder:
        history = folder / "history"
        environment = {"HISTORY_DIR": str(history)}
        missing = psql(environment)
        assert missing.returncode == 2
        assert f"HISTORY_DIR: no PostgreSQL in {history}" in missing.stderr
        migrated = subprocess.run([*CLICKPULSE, "history", "migrate"], env=environment, capture_output=True, timeout=60)
        assert migrated.returncode == 0
        found = psql(environment, "-At", "-c", "SELECT count(*) FROM events")
        assert (found.returncode, found.stdout) == (0, "0\n")
        assert not (history / "postmaster.pid").exists()


# --- roles -----------------------------------------------------------------------------------------------------------


def test_the_reader_reads_everything_also_later_days_and_writes_nothing(
    stored_url: str, role_of: Callable[[str], str]
) -> None:
    reader = role_of("reader")
    store = Store(lambda: stored_url, "enriched")
    store.write(batch(24 * 90, 1), {0: claim(store)})  # a day of its own
    store.close()
    partition = query(stored_url, "SELECT min(relname) FROM pg_class WHERE relname ~ '^events_[0-9]{8}$'")[0][0]
    assert query(reader, "SELECT count(*) FROM events JOIN visitors ON visitors.id = visitor_id") == [(31,)]
    assert query(reader, f"SELECT count(*) FROM {partition}") == [(1,)]
    assert query(reader, "SHOW statement_timeout") == [("1min",)]
    for statement in ("DELETE FROM events", "CREATE TABLE more (id integer)", "SET ROLE postgres"):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
            query(reader, statement)
    # The setting is the reader's to change, the rights are not.
    writing = conninfo.make_conninfo(reader, options="-c default_transaction_read_only=off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(writing, "DELETE FROM events")


def test_the_counter_sees_no_visitor(role_of: Callable[[str], str]) -> None:
    counter = role_of("counter")
    assert query(counter, "SELECT sum(views) FROM traffic_1d WHERE dimension = 'all'") == [(30,)]
    for table in ("events", "visitors", "history_erasures"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(counter, f"SELECT * FROM {table}")


# --- Grafana and pandas ----------------------------------------------------------------------------------------------


def test_grafanas_queries_run_as_the_counter(role_of: Callable[[str], str]) -> None:
    counter = role_of("counter")
    # As Grafana expands its macros.
    text = documented("grafana").replace(
        "$__timeGroupAlias(bucket, '1h')", """floor(extract(epoch from bucket)/3600)*3600 AS "time\""""
    )
    text = text.replace("$__timeFilter(bucket)", "bucket BETWEEN now() - interval '9 hours' AND now()")
    by_hour, countries = [query(counter, statement) for statement in text.split(";") if statement.strip()]
    assert {views for _, views in by_hour} == {1}
    assert [hour for hour, _ in by_hour] == sorted(hour for hour, _ in by_hour)
    assert dict(countries)["DE"] > dict(countries)["FR"]


def test_pandas_reads_it(stored_url: str) -> None:
    statement = "SELECT ts, name AS country FROM events JOIN names ON names.id = country_id"
    with psycopg.connect(stored_url) as connection, pytest.warns(UserWarning, match="pandas only supports"):
        frame = pd.read_sql(statement, connection)
    assert frame["country"].value_counts().to_dict() == {"DE": 20, "FR": 10}
    assert frame["ts"].dt.tz is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the extension is a wheel for Linux alone")
def test_duckdb_reads_it_as_the_reader(role_of: Callable[[str], str], tmp_path: Path) -> None:
    import duckdb

    wheel = resources.files("duckdb_extension_postgres_scanner")
    (extension,) = Path(str(wheel)).rglob("postgres_scanner.duckdb_extension")
    reader = role_of("reader")
    with duckdb.connect(config={"extension_directory": str(tmp_path)}) as connection:
        connection.execute(f"INSTALL '{extension}'")
        text = documented("duckdb").replace("INSTALL postgres;", "")
        found = connection.execute(
            text.replace("dbname=clickpulse user=clickpulse_reader host=db.example", reader)
        ).fetchall()
        assert [(day.astimezone(UTC), views) for day, views in found] == query(
            reader, "SELECT bucket, sum(views)::float FROM traffic_1d WHERE dimension = 'all' GROUP BY 1 ORDER BY 1"
        )
        counts = "SELECT count(*), count(DISTINCT visitor_id), max(ts) FROM history.public.events"
        ((events, visitors, last),) = connection.execute(counts).fetchall()
        assert (events, visitors, last.astimezone(UTC)) == query(reader, counts.replace("history.", ""))[0]
        with pytest.raises(duckdb.Error, match="read-only"):
            connection.execute("DELETE FROM history.public.names")


# --- dumps -----------------------------------------------------------------------------------------------------------


def test_a_restored_dump_goes_on_where_it_was_made(stored_url: str, postgres_server: Postgres, tmp_path: Path) -> None:
    dump, restore = client_program("pg_dump"), client_program("pg_restore")
    if dump is None or restore is None:
        pytest.skip("the wheel has no pg_dump")
    file = tmp_path / "history.dump"
    subprocess.run([dump, "-Fc", "-f", file, "-d", stored_url], check=True, timeout=60)
    store = Store(lambda: stored_url, "enriched")
    store.write(batch(30, 20), {0: claim(store)})
    store.close()
    restored = postgres_server.new_database(f"restored_{uuid.uuid4().hex[:8]}")
    subprocess.run([restore, "--exit-on-error", "-d", restored, file], check=True, timeout=60)
    assert query(restored, "SELECT next_offset FROM history_offsets") == [(30,)]
    assert migrate(lambda: restored) == []
    store = Store(lambda: restored, "enriched")
    store.write(batch(30, 20), {0: claim(store)})
    store.close()
    assert wrong_rows(restored) == []
    for table in ("traffic_1m", "traffic_1h", "traffic_1d"):
        by_name = (
            "SELECT bucket, s.name, dimension, n.name, views, visitors "
            f"FROM {table} JOIN names s ON s.id = site_id JOIN names n ON n.id = name_id ORDER BY 1, 2, 3, 4"
        )
        assert query(restored, by_name) == query(stored_url, by_name)
