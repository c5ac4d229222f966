"""The statements that add a batch to the rollups.

The temporary table `batch` holds the new events of the transaction, `earlier` the events that their visitors had on the
same days before. A visitor is new to a bucket unless `earlier` has them there.
"""

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
    # Half the cost of date_trunc, and in UTC the same: days have 24 hours.
    "SELECT date_bin({span}, ts, timestamptz '2000-01-01 00:00:00+00') AS bucket, site_id, dimension, name_id, "
    "visitor_id FROM {table} "
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


def _counted(table: str, span: str) -> sql.Composed:
    """Each event of the table once for each dimension that counts it."""
    names = sql.SQL(", ").join(
        sql.SQL("({}::traffic_dimension, {})").format(sql.Literal(dimension), name) for dimension, name in DIMENSIONS
    )
    return _COUNTED.format(
        span=sql.SQL("interval {}").format(sql.Literal(f"1 {span}")), table=sql.Identifier(table), names=names
    )


ADD_TO_ROLLUPS: Final = tuple(
    _ADD.format(rollup=sql.Identifier(rollup), new=_counted("batch", span), old=_counted("earlier", span))
    for rollup, span in BUCKETS.items()
)
