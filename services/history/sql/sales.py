"""The statements that decide which sales of a batch count, and add them to the rollups of sales.

The temporary table `batch` holds the sales of the transaction: `order_digest` and `tie` are those of
`services.history.sales`. Of the events of one order the first by time counts, and `orders` has it. So one that is
late may replace one that is stored, which then counts no more: the temporary table `replaced` holds it as it was.
"""

from typing import Final

import psycopg
from psycopg import sql

from services.history.sql.rollups import bucket_of, named

SALES_BUCKETS: Final = {"sales_1m": "minute", "sales_1h": "hour", "sales_1d": "day"}
"""The span of time of each rollup table's buckets."""

SALES_DIMENSIONS: Final = (
    ("all", sql.Literal(0)),
    ("product", sql.Identifier("product_id")),
    ("category", sql.Identifier("category_id")),
    ("platform", sql.Identifier("platform_id")),
    ("source", sql.Identifier("source_id")),
    ("channel", sql.Identifier("channel_id")),
    ("campaign", sql.Identifier("campaign_id")),
    ("country", sql.Identifier("country_id")),
    ("device", sql.Identifier("device_id")),
)
"""Each value of the type `sales_dimension`, and the id of a sale's name in it; null counts nowhere."""

_KEEP_FIRST: Final = """
    UPDATE batch SET sale = NULL FROM (
        SELECT place, row_number() OVER (PARTITION BY visitor_id, order_digest ORDER BY ts, tie) AS number
        FROM batch WHERE order_digest IS NOT NULL
    ) AS ranked WHERE batch.place = ranked.place AND number > 1
"""
_KNOWN: Final = sql.SQL("known.visitor_id = batch.visitor_id AND known.digest = batch.order_digest")
_KEEP_EARLIER: Final = sql.SQL("""
    UPDATE batch SET sale = NULL FROM orders AS known
    WHERE {known} AND batch.sale IS NOT NULL AND (known.ts, known.tie) <= (batch.ts, batch.tie)
""").format(known=_KNOWN)
_REPLACES: Final = sql.SQL(
    "SELECT EXISTS (SELECT FROM batch JOIN orders AS known ON {known} WHERE batch.sale IS NOT NULL)"
).format(known=_KNOWN)
_FIND_REPLACED: Final = sql.SQL("""
    INSERT INTO replaced SELECT events.* FROM batch JOIN orders AS known ON {known} JOIN events
        ON events.ts = known.ts AND events.visitor_id = known.visitor_id AND events.order_id = batch.order_id
        AND least(events.value, 0) = least(batch.value, 0)
    WHERE batch.sale IS NOT NULL AND events.sale IS NOT NULL
""").format(known=_KNOWN)
_REPLACE: Final = """
    UPDATE events SET sale = NULL FROM replaced
    WHERE events.ts = replaced.ts AND events.visitor_id = replaced.visitor_id AND events.order_id = replaced.order_id
        AND least(events.value, 0) = least(replaced.value, 0) AND events.sale IS NOT NULL
        AND events.ts BETWEEN %s AND %s
"""
_REMEMBER: Final = """
    INSERT INTO orders SELECT visitor_id, order_digest, ts, tie FROM batch
    WHERE sale IS NOT NULL AND order_digest IS NOT NULL
    ON CONFLICT (visitor_id, digest) DO UPDATE SET ts = excluded.ts, tie = excluded.tie
"""

_FIGURES: Final = ("sales", "orders", "refunds", "quantity", "sold", "refunded", "cost", "without_cost")
# A line is an order of its product and category alone.
_ADD: Final = sql.SQL("""
    INSERT INTO {rollup} AS known (bucket, site_id, currency_id, dimension, name_id, {figures})
    SELECT {bucket}, site_id, coalesce(currency_id, 0), dimension, name_id,
        sum(sign),
        coalesce(sum(sign) FILTER (WHERE sale = 'order' OR is_of_line AND sale = 'order_line'), 0),
        coalesce(sum(sign) FILTER (WHERE sale = 'refund' OR is_of_line AND sale = 'refund_line'), 0),
        coalesce(sum(sign * quantity) FILTER (WHERE value >= 0), 0),
        sum(sign * greatest(value, 0)),
        sum(sign * -least(value, 0)),
        coalesce(sum(sign * cost), 0),
        coalesce(sum(sign) FILTER (WHERE value >= 0 AND cost IS NULL), 0)
    FROM (
        SELECT 1 AS sign, {columns} FROM batch WHERE sale IS NOT NULL
        UNION ALL SELECT -1, {columns} FROM replaced
    ) AS changes CROSS JOIN LATERAL (VALUES {names}) AS named (dimension, name_id)
    CROSS JOIN LATERAL (SELECT dimension IN ('product', 'category')) AS counting (is_of_line)
    WHERE name_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT (bucket, site_id, currency_id, dimension, name_id) DO UPDATE SET {sums}
""")
_DROP_EMPTY: Final = sql.SQL("DELETE FROM {rollup} WHERE sales = 0 AND bucket IN (SELECT {bucket} FROM replaced)")


def _add(rollup: str, span: str) -> sql.Composed:
    columns = ("ts", "site_id", "currency_id", "sale", "quantity", "value", "cost")
    own = dict.fromkeys((*columns, *(f"{name}_id" for name, _ in SALES_DIMENSIONS[1:])))
    return _ADD.format(
        rollup=sql.Identifier(rollup),
        figures=sql.SQL(", ").join(map(sql.Identifier, _FIGURES)),
        bucket=bucket_of(span),
        columns=sql.SQL(", ").join(map(sql.Identifier, own)),
        names=named("sales_dimension", SALES_DIMENSIONS),
        sums=sql.SQL(", ").join(
            sql.SQL("{0} = known.{0} + excluded.{0}").format(sql.Identifier(figure)) for figure in _FIGURES
        ),
    )


_ADD_TO_SALES: Final = tuple(_add(rollup, span) for rollup, span in SALES_BUCKETS.items())
_DROP_EMPTIES: Final = tuple(
    _DROP_EMPTY.format(rollup=sql.Identifier(rollup), bucket=bucket_of(span)) for rollup, span in SALES_BUCKETS.items()
)


def count_sales(cursor: psycopg.Cursor) -> set[int]:
    """Add the sales of `batch` that count to the rollups, before they are stored. Returns the places of the others."""
    cursor.execute(_KEEP_FIRST)
    cursor.execute(_KEEP_EARLIER)
    replaces = _answer(cursor, _REPLACES)
    if replaces:
        cursor.execute(_FIND_REPLACED)
        # Without the span, TimescaleDB would decompress every day.
        first, last = cursor.execute("SELECT min(ts), max(ts) FROM replaced").fetchone() or (None, None)
        cursor.execute(_REPLACE, [first, last])
    cursor.execute(_REMEMBER)
    for statement in (*_ADD_TO_SALES, *(_DROP_EMPTIES if replaces else ())):
        cursor.execute(statement)
    return {place for (place,) in cursor.execute("SELECT place FROM batch WHERE sale IS NULL")}


def _answer(cursor: psycopg.Cursor, question: sql.SQL | sql.Composed) -> bool:
    row: tuple[bool] | None = cursor.execute(question).fetchone()
    return row == (True,)
