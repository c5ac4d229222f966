"""TimescaleDB: `events` as a hypertable with a chunk for each day, in place of daily partitions.

Its background jobs refresh aggregates and compress old chunks; `schema_timescale/` sets them up.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import psycopg

from shared.runtime.logs import get_logger

logger = get_logger(__name__)

SCHEMA: Final = Path(__file__).parent / "schema_timescale"
"""Files for databases with a hypertable, with numbers that `schema/` leaves out."""

# To create the extension where its library is not loaded would end the connection.
_OFFER: Final = """
    SELECT installed_version IS NOT NULL,
        current_setting('timescaledb.max_background_workers', true) IS NOT NULL
    FROM pg_available_extensions WHERE name = 'timescaledb'
"""
_KIND: Final = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('events')"
# Without the unique index of a partition: a hypertable's would need the time. The lock of writers is enough.
_CONVERT: Final = """
    CREATE TABLE plain_events (LIKE events INCLUDING ALL EXCLUDING INDEXES);
    DROP TABLE events;
    ALTER TABLE plain_events RENAME TO events;
    SELECT create_hypertable('events', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
    CREATE INDEX events_ts ON events USING brin (ts);
    CREATE INDEX events_visitor ON events (visitor_id, event_digest);
"""
_CHUNKS: Final = """
    FROM timescaledb_information.chunks
    WHERE hypertable_schema = current_schema() AND hypertable_name = 'events'
"""
_DECOMPRESS: Final = (
    "SELECT decompress_chunk(format('%%I.%%I', chunk_schema, chunk_name)::regclass, true) "
    + _CHUNKS
    + " AND range_start = %s AND is_compressed"
)
_FOLLOW: Final = """
    SELECT alter_job(job_id, config => jsonb_set(config, '{start_offset}', to_jsonb(%(offset)s::text)))
    FROM timescaledb_information.jobs
    WHERE proc_name = 'policy_refresh_continuous_aggregate' AND config ->> 'start_offset' <> %(offset)s
        AND hypertable_name IN ('views_1h', (
            SELECT materialization_hypertable_name FROM timescaledb_information.continuous_aggregates
            WHERE view_schema = current_schema() AND view_name = 'views_1h'
        ))
"""


def is_available(cursor: psycopg.Cursor) -> bool:
    """Whether the database has TimescaleDB. Creates the extension if the server offers it and lets us."""
    row: tuple[bool, bool] | None = cursor.execute(_OFFER).fetchone()
    if row is None:
        return False
    is_installed, is_loaded = row
    try:
        if not is_installed:
            if not is_loaded:
                logger.warning("TimescaleDB not used", reason="it is not in shared_preload_libraries")
                return False
            with cursor.connection.transaction():
                cursor.execute("CREATE EXTENSION timescaledb")
        # From 2.13 on, and in a schema that names are looked up in.
        is_usable = cursor.execute("SELECT to_regproc('by_range') IS NOT NULL").fetchone() == (True,)
    except psycopg.Error as error:
        logger.warning("TimescaleDB not used", reason=error.diag.message_primary or type(error).__name__)
        return False
    if not is_usable:
        logger.warning("TimescaleDB not used", reason="expected 2.13 or later, in a schema of the search_path")
    return is_usable


def is_hypertable(cursor: psycopg.Cursor) -> bool:
    """Whether `events` is one, in place of a partitioned table."""
    return cursor.execute(_KIND).fetchone() == (True,)


def make_hypertable(cursor: psycopg.Cursor) -> None:
    """Make `events` of the first schema a hypertable, before anything refers to it."""
    cursor.execute(_CONVERT)


def decompress(cursor: psycopg.Cursor, start: datetime) -> None:
    """Decompress the day that starts then, so that events are looked up by index. The next job compresses it again.

    Not if that would wait for readers: events can be stored as well then, but are looked up slowly.
    """
    try:
        with cursor.connection.transaction():
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            cursor.execute(_DECOMPRESS, [start])
            cursor.execute("SET LOCAL lock_timeout = DEFAULT")
    except psycopg.errors.LockNotAvailable:
        logger.debug("a compressed day is being read", day=start.date().isoformat())


def chunk_starts(cursor: psycopg.Cursor) -> list[datetime]:
    """The first instant of each day that has a chunk."""
    cursor.execute("SELECT range_start" + _CHUNKS + "ORDER BY range_start")
    return [start for (start,) in cursor.fetchall()]


def drop(cursor: psycopg.Cursor, start: datetime, end: datetime) -> None:
    """Drop the chunk of a day. Aggregates keep what they counted of it."""
    cursor.execute("SELECT drop_chunks('events', newer_than => %s, older_than => %s)", [start, end])


def follow_retention(cursor: psycopg.Cursor, raw_days: int) -> None:
    """Refresh the aggregate for as long as events are kept: of dropped days, that would delete what it counted."""
    cursor.execute(_FOLLOW, {"offset": f"{raw_days} days"})
