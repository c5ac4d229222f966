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
)
"""Each value of the type `traffic_dimension`, and the id of an event's name in it; null counts nowhere."""

BUCKETS: Final = {"traffic_1m": "minute", "traffic_1h": "hour", "traffic_1d": "day"}
"""The span of time of each rollup table's buckets."""

_COUNTED: Final = sql.SQL(
    "SELECT date_trunc({span}, ts, 'UTC') AS bucket, site_id, dimension, name_id, visitor_id FROM {table} "
    "CROSS JOIN LATERAL (VALUES {names}) AS named (dimension, name_id) WHERE name_id IS NOT NULL"
)

_ADD: Final = sql.SQL(
    "INSERT INTO {rollup} AS known (bucket, site_id, dimension, name_id, views, visitors) "
    "SELECT bucket, site_id, dimension, name_id, count(*), "
    "count(DISTINCT visitor_id) FILTER (WHERE seen.visitor_id_seen IS NULL) "
    "FROM ({new}) AS new LEFT JOIN "
    "(SELECT DISTINCT bucket, site_id, dimension, name_id, visitor_id, visitor_id AS visitor_id_seen "
    "FROM ({old}) AS old) AS seen USING (bucket, site_id, dimension, name_id, visitor_id) "
    "GROUP BY bucket, site_id, dimension, name_id "
    "ON CONFLICT (bucket, site_id, dimension, name_id) "
    "DO UPDATE SET views = known.views + excluded.views, visitors = known.visitors + excluded.visitors"
)

RECOMPUTED: Final = sql.SQL(
    "SELECT bucket, site_id, dimension, name_id, count(*) AS views, count(DISTINCT visitor_id) AS visitors "
    "FROM ({counted}) AS counted GROUP BY bucket, site_id, dimension, name_id"
)
"""What a rollup must equal, from raw events alone."""


def counted(table: str, span: str) -> sql.Composed:
    """Each event of the table once for each dimension that counts it."""
    names = sql.SQL(", ").join(
        sql.SQL("({}::traffic_dimension, {})").format(sql.Literal(dimension), name) for dimension, name in DIMENSIONS
    )
    return _COUNTED.format(span=sql.Literal(span), table=sql.Identifier(table), names=names)


ADD_TO_ROLLUPS: Final = tuple(
    _ADD.format(rollup=sql.Identifier(rollup), new=counted("batch", span), old=counted("earlier", span))
    for rollup, span in BUCKETS.items()
)
