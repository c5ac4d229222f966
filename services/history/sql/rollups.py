"""The statements that add a batch to the rollups.

The temporary table `batch` holds the new events of the transaction, `earlier` the events that their visitors had on the
same days before. A visitor is new to a bucket unless `earlier` has them there.
"""

from collections.abc import Iterable
from typing import Final

from psycopg import sql

DIMENSIONS: Final = (
    ("all", sql.Literal(0)),
    ("category", sql.Identifier("category_id")),
    ("product", sql.Identifier("product_id")),
    ("country", sql.Identifier("country_id")),
    ("device", sql.Identifier("device_id")),
    ("browser", sql.Identifier("browser_id")),
    ("operating_system", sql.Identifier("operating_system_id")),
    ("event_type", sql.Identifier("event_type_id")),
    ("source", sql.Identifier("source_id")),
    ("channel", sql.Identifier("channel_id")),
    ("campaign", sql.Identifier("campaign_id")),
    ("page", sql.Identifier("page_id")),
)
"""Each value of the type `traffic_dimension`, and the id of an event's name in it; null counts nowhere."""

BUCKETS: Final = {"traffic_1m": "minute", "traffic_1h": "hour", "traffic_1d": "day"}
"""The span of time of each rollup table's buckets."""

_COUNTED: Final = sql.SQL(
    "SELECT {bucket} AS bucket, site_id, dimension, name_id, visitor_id FROM {table} "
    "CROSS JOIN LATERAL (VALUES {names}) AS named (dimension, name_id) WHERE name_id IS NOT NULL"
)

# `views > 0` leaves the rows alone that only earlier events are in.
_ADD: Final = sql.SQL(
    "INSERT INTO {rollup} AS known (bucket, site_id, dimension, name_id, views, visitors) "
    "SELECT bucket, site_id, dimension, name_id, sum(views), count(*) FILTER (WHERE is_new) FROM ("
    "SELECT bucket, site_id, dimension, name_id, visitor_id, "
    "count(*) FILTER (WHERE NOT is_earlier) AS views, NOT bool_or(is_earlier) AS is_new FROM ("
    "SELECT *, false AS is_earlier FROM ({new}) AS new UNION ALL SELECT *, true FROM ({old}) AS old"
    ") AS both_kinds GROUP BY bucket, site_id, dimension, name_id, visitor_id"
    ") AS by_visitor WHERE views > 0 GROUP BY bucket, site_id, dimension, name_id "
    "ON CONFLICT (bucket, site_id, dimension, name_id) "
    "DO UPDATE SET views = known.views + excluded.views, visitors = known.visitors + excluded.visitors"
)


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


def _counted(table: str, span: str) -> sql.Composed:
    """Each event of the table once for each dimension that counts it."""
    return _COUNTED.format(
        bucket=bucket_of(span), table=sql.Identifier(table), names=named("traffic_dimension", DIMENSIONS)
    )


ADD_TO_ROLLUPS: Final = tuple(
    _ADD.format(rollup=sql.Identifier(rollup), new=_counted("batch", span), old=_counted("earlier", span))
    for rollup, span in BUCKETS.items()
)
