"""The days of `events`: partitions, created ahead or when a late event needs one, or chunks of a hypertable.

Retention drops them.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg
from psycopg import sql

from services.history.sql import timescale

_ONE_DAY = timedelta(days=1)
_LONGEST_GAP = timedelta(minutes=30)
_MINUTES = [sql.Identifier(table) for table in ("traffic_1m", "sales_1m", "sessions_1m")]


def tables(cursor: psycopg.Cursor) -> Callable[[date], sql.Identifier]:
    """Which table holds the events of a day: its partition, or all of `events` if that is a hypertable."""
    return (lambda _: sql.Identifier("events")) if timescale.is_hypertable(cursor) else _partition_of


def _partition_of(day: date) -> sql.Identifier:
    return sql.Identifier(f"events_{day:%Y%m%d}")


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """The first instant of the day, and that of the next."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + _ONE_DAY


def create_day(cursor: psycopg.Cursor, day: date) -> None:
    """Create the partition of the day unless it exists. The caller holds the lock of writers."""
    if timescale.is_hypertable(cursor):
        timescale.decompress(cursor, bounds_of(day)[0])
        return
    table = _partition_of(day)
    cursor.execute("SELECT to_regclass(%s)", [f"events_{day:%Y%m%d}"])
    if cursor.fetchone() != (None,):
        return
    start, end = bounds_of(day)
    # Attached when it is complete, which does not wait for readers of the other days.
    cursor.execute(sql.SQL("CREATE TABLE {} (LIKE events INCLUDING ALL)").format(table))
    # Finds duplicates, and what a visitor did that day. Events without an id differ: nulls are distinct.
    cursor.execute(sql.SQL("CREATE UNIQUE INDEX ON {} (visitor_id, event_digest)").format(table))
    cursor.execute(
        sql.SQL("ALTER TABLE events ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            table, sql.Literal(start), sql.Literal(end)
        )
    )


def retire(cursor: psycopg.Cursor, today: date, *, raw_days: int, minute_days: int) -> list[date]:
    """Drop what is past its retention, and create the partitions of today and tomorrow. Returns the dropped days.

    The caller holds the lock of writers. Days that were dropped stay closed, even if `raw_days` is raised: what is gone
    cannot tell who is new.
    """
    kept_from, minutes_from = _advance(cursor, today - timedelta(days=raw_days), today - timedelta(days=minute_days))
    for table in _MINUTES:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE bucket < %s").format(table), [bounds_of(minutes_from)[0]])
    for day in (today, today + _ONE_DAY):
        create_day(cursor, day)
    dropped = _drop(cursor, [day for day in existing_days(cursor) if day < kept_from])
    cursor.execute("DELETE FROM history_days WHERE day < %s", [kept_from])
    if dropped:  # an event of the first day may still join what was going on before
        cursor.execute("DELETE FROM sessions WHERE ends <= %s", [bounds_of(kept_from)[0] - _LONGEST_GAP])
    if timescale.is_hypertable(cursor):
        timescale.follow_retention(cursor, raw_days)
    return dropped


def _drop(cursor: psycopg.Cursor, days: Sequence[date]) -> list[date]:
    """Drop days until a reader is in the way, which must not keep events waiting: the next call drops the rest."""
    cursor.execute("SET LOCAL lock_timeout = '3s'")  # others wait behind us meanwhile
    is_hypertable = timescale.is_hypertable(cursor)
    dropped = []
    for day in days:
        try:
            with cursor.connection.transaction():
                if is_hypertable:
                    timescale.drop(cursor, *bounds_of(day))
                else:
                    cursor.execute(sql.SQL("DROP TABLE {}").format(_partition_of(day)))
        except psycopg.errors.LockNotAvailable:
            break
        dropped.append(day)
    return dropped


def existing_days(cursor: psycopg.Cursor) -> list[date]:
    """The days that have a partition or a chunk."""
    if timescale.is_hypertable(cursor):
        return [start.astimezone(UTC).date() for start in timescale.chunk_starts(cursor)]
    cursor.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = 'events'::regclass ORDER BY relname"
    )
    return [datetime.strptime(f"{name}+0000", "events_%Y%m%d%z").date() for (name,) in cursor.fetchall()]


def _advance(cursor: psycopg.Cursor, kept_from: date, minutes_from: date) -> tuple[date, date]:
    """Keep raw events and rollups of minutes from these days on. Returns the first days that may have any: later ones
    if these are gone already."""
    cursor.execute(
        "UPDATE history_raw SET kept_from = greatest(kept_from, %s), minutes_from = greatest(minutes_from, %s) "
        "RETURNING kept_from, minutes_from",
        [kept_from, minutes_from],
    )
    row: tuple[date, date] | None = cursor.fetchone()
    assert row is not None, "history_raw has one row"
    return row
