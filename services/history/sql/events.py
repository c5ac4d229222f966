"""The statements that store events, and look earlier ones up, day by day."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import sql

from services.history.rows import AFTER_NAMES, FIRST_NAME, Row
from services.history.sql.binary import Column, aggregated, array_of_numbers, columns_in
from services.history.sql.days import bounds_of
from services.history.traffic import DIMENSIONS, NO_NAME, Events

Values = tuple[Any, ...]
"""A row of `events`: a Row with numbers in place of the texts of names and of its visitor, and the batch's number."""

_COLUMNS: Final = (
    *(("ts", "timestamptz"), ("visitor_id", "int8")),
    *((f"{name}_id", "int4") for name in Row._fields[FIRST_NAME:AFTER_NAMES]),
    *(("quantity", "int4"), ("age", "int2"), ("profile_age", "int2"), ("original_ts", "timestamptz")),
    *(("event_digest", "int8"), ("event_id", "text"), ("order_id", "text"), ("ip", "text"), ("birthdate", "text")),
    *(("value", "numeric"), ("cost", "numeric"), ("sale", "text")),  # as text, which an enumeration reads
    ("batch_number", "int4"),
)
TS, VISITOR, DEVICE, PRODUCT = map(Row._fields.index, ("ts", "visitor", "device", "product"))
TITLE, CATEGORY, SALE = map(Row._fields.index, ("title", "category", "sale"))
"""Places in Values."""
_SITE, _DIGEST = map(Row._fields.index, ("site", "event_digest"))
_NAMES: Final = [Row._fields.index(name) for name in DIMENSIONS[1:]]

_COPY: Final = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)")
# LATERAL with OFFSET 0, here and below: one look into the index for each. A new day has no statistics, and the planner,
# which expects few events between two instants, would compare all of the day with all of the batch.
_DUPLICATES: Final = sql.SQL(
    "SELECT place, ts, site_id "
    "FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[]) AS new (place, visitor_id, event_digest) "
    "CROSS JOIN LATERAL (SELECT ts, site_id FROM {table} AS known WHERE known.visitor_id = new.visitor_id "
    "AND known.event_digest = new.event_digest AND ts >= {start} AND ts < {end} OFFSET 0) AS known"
)
_IS_EMPTY: Final = sql.SQL("SELECT NOT EXISTS (SELECT FROM {table} WHERE ts >= {start} AND ts < {end})")
_OF_VISITORS: Final = sql.SQL(
    "SELECT {columns} FROM unnest(%b::bigint[]) AS own (number) CROSS JOIN LATERAL ("
    "SELECT * FROM {table} WHERE visitor_id = number AND ts >= {start} AND ts < {end} OFFSET 0) AS known"
)
_FOUND: Final = aggregated(
    [
        *map(sql.Identifier, ("ts", "visitor_id", "site_id")),
        *(sql.SQL("coalesce({}, {})").format(sql.Identifier(_COLUMNS[place][0]), NO_NAME) for place in _NAMES),
    ]
)
_FOUND_KINDS: Final = ("timestamptz", "int8", "int4", *["int4"] * len(_NAMES))
_MINUTE_MS: Final = 60_000
_MINUTE_US: Final = 60_000_000
_DAY_MINUTES: Final = 1440


def duplicates(
    cursor: psycopg.Cursor, table: sql.Identifier, day: date, rows: Sequence[Values]
) -> dict[int, tuple[datetime, bool]]:
    """The places of those rows of the day that are stored already, each with its time, and if its site is the same."""
    places = [place for place, row in enumerate(rows) if row[_DIGEST] is not None]
    if not places:
        return {}
    columns = (places, *([rows[place][column] for place in places] for column in (VISITOR, _DIGEST)))
    found = cursor.execute(_DUPLICATES.format(**_parts_of(table, day)), list(map(array_of_numbers, columns)))
    return {place: (first, rows[place][_SITE] == site_id) for place, first, site_id in found}


def copy_rows(
    cursor: psycopg.Cursor,
    table: sql.Identifier,
    rows: Iterable[Sequence[Any]],
    further: Sequence[tuple[str, str]] = (),
) -> None:
    """Insert rows. They may have further columns: their names and types."""
    columns = (*_COLUMNS, *further)
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    with cursor.copy(_COPY.format(table=table, columns=names)) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)


def is_empty(cursor: psycopg.Cursor, table: sql.Identifier, day: date) -> bool:
    """Whether no event of the day is stored."""
    cursor.execute(_IS_EMPTY.format(**_parts_of(table, day)))
    return cursor.fetchone() == (True,)


def events_of(cursor: psycopg.Cursor, table: sql.Identifier, day: date, visitors: Sequence[int]) -> Events:
    """The stored events of these visitors on the day."""
    statement = _OF_VISITORS.format(columns=_FOUND, **_parts_of(table, day))
    found = cursor.execute(statement, [array_of_numbers(visitors)], binary=True)
    times, ids, sites, *names = columns_in(found.pgresult, _FOUND_KINDS)
    return Events(times // _MINUTE_US % _DAY_MINUTES, ids, sites, np.array(names))


def columns_of(rows: Sequence[Values]) -> tuple[Events, Column]:
    """The columns that rollups count, and the times in ms."""
    columns = list(zip(*rows, strict=True))
    at_ms = times_ms(columns[TS])
    names = [[NO_NAME if number is None else number for number in columns[place]] for place in _NAMES]
    visitors, sites = (np.array(columns[place], np.int64) for place in (VISITOR, _SITE))
    return Events(at_ms // _MINUTE_MS % _DAY_MINUTES, visitors, sites, np.array(names, np.int64)), at_ms


def times_ms(times: Sequence[datetime]) -> Column:
    """Whole milliseconds since 1970."""
    # A float of seconds is far nearer to the right one than to any other.
    column: Column = np.rint(np.array([time.timestamp() for time in times]) * 1000).astype(np.int64)
    return column


def _parts_of(table: sql.Identifier, day: date) -> dict[str, sql.Composable]:
    start, end = map(sql.Literal, bounds_of(day))
    return {"table": table, "start": start, "end": end}
