"""The statements that add to the rollups of traffic, and what those of other rollups share."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from services.history.sql.binary import encoded
from services.history.traffic import DIMENSIONS, SPANS, Increments

TEMPORARY: Final = """increments (
    rollup smallint, bucket timestamptz, site_id integer, dimension smallint, name_id integer,
    views bigint, visitors bigint
)"""

_KINDS: Final = ("int2", "timestamptz", "int4", "int2", "int4", "int8", "int8")
_COPY: Final = "COPY increments FROM STDIN (FORMAT BINARY)"
# Under the lock of writers, nobody else inserts: that takes less than ON CONFLICT, which locks each row first.
_ADD: Final = sql.SQL("""
    MERGE INTO {rollup} AS known USING (
        SELECT bucket, site_id, ({dimensions}::traffic_dimension[])[dimension] AS dimension, name_id, views, visitors
        FROM increments WHERE rollup = {number}
    ) AS new ON known.bucket = new.bucket AND known.site_id = new.site_id AND known.dimension = new.dimension
        AND known.name_id = new.name_id
    WHEN MATCHED THEN UPDATE SET views = known.views + new.views, visitors = known.visitors + new.visitors
    WHEN NOT MATCHED THEN INSERT (bucket, site_id, dimension, name_id, views, visitors)
        VALUES (new.bucket, new.site_id, new.dimension, new.name_id, new.views, new.visitors)
""")
_ADDS: Final = tuple(
    _ADD.format(rollup=sql.Identifier(rollup), dimensions=sql.Literal(list(DIMENSIONS)), number=number)
    for number, rollup in enumerate(SPANS)
)

_MINUTE_US: Final = 60_000_000
_DAY_MINUTES: Final = 1440
_FIRST_DAY: Final = date(2000, 1, 1)


def bucket_of(span: str) -> sql.Composed:
    """The start of the bucket of `ts`."""
    # Half the cost of date_trunc, and in UTC the same: days have 24 hours.
    return sql.SQL("date_bin(interval {}, ts, timestamptz '2000-01-01 00:00:00+00')").format(sql.Literal(f"1 {span}"))


def named(kind: str, dimensions: Iterable[tuple[str, sql.Composable]]) -> sql.Composed:
    """The values of an enumeration with the id of an event's name in each, as rows of VALUES."""
    row = sql.SQL("({}::{}, {})")
    return sql.SQL(", ").join(
        row.format(sql.Literal(dimension), sql.Identifier(kind), name) for dimension, name in dimensions
    )


def add_to_rollups(cursor: psycopg.Cursor, increments: Iterable[tuple[date, Sequence[Increments]]]) -> None:
    """Add the increments of each day, which are those of each of SPANS."""
    parts = []
    for day, of_day in increments:
        midnight = (day - _FIRST_DAY).days * _DAY_MINUTES
        for number, own in enumerate(of_day):
            buckets = (midnight + own.starts) * _MINUTE_US
            numbers = np.full(len(buckets), number)
            parts.append((numbers, buckets, own.sites, own.dimensions + 1, own.names, own.views, own.visitors))
    with cursor.copy(_COPY) as copy:
        copy.write(encoded([np.concatenate(column) for column in zip(*parts, strict=True)], _KINDS))
    for statement in _ADDS:
        cursor.execute(statement)
