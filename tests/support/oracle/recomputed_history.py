"""The rollups of history computed from its raw events by plain SQL, which shares nothing with the service."""

from collections import Counter
from typing import Any

import psycopg

_SPANS = {"1m": "minute", "1h": "hour", "1d": "day"}

_TRAFFIC = """
    SELECT date_trunc(%s, ts, 'UTC'), site_id, dimension, name_id, count(*), count(DISTINCT visitor_id)
    FROM events CROSS JOIN LATERAL (VALUES
        ('all', 0), ('category', category_id), ('product', product_id), ('country', country_id), ('device', device_id),
        ('browser', browser_id), ('operating_system', operating_system_id), ('event_type', event_type_id),
        ('source', source_id), ('channel', channel_id), ('campaign', campaign_id), ('page', page_id)
    ) AS named (dimension, name_id)
    WHERE name_id IS NOT NULL GROUP BY 1, 2, 3, 4
"""
_SALES = """
    SELECT date_trunc(%s, ts, 'UTC'), site_id, coalesce(currency_id, 0), dimension, name_id, count(*),
        count(*) FILTER (WHERE sale = 'order' OR sale = 'order_line' AND dimension IN ('product', 'category')),
        count(*) FILTER (WHERE sale = 'refund' OR sale = 'refund_line' AND dimension IN ('product', 'category')),
        coalesce(sum(quantity) FILTER (WHERE sale IN ('order', 'order_line')), 0),
        coalesce(sum(value) FILTER (WHERE value > 0), 0),
        coalesce(-sum(value) FILTER (WHERE value < 0), 0),
        coalesce(sum(cost), 0),
        count(*) FILTER (WHERE sale IN ('order', 'order_line') AND cost IS NULL)
    FROM events CROSS JOIN LATERAL (VALUES
        ('all', 0), ('product', product_id), ('category', category_id), ('platform', platform_id),
        ('source', source_id), ('channel', channel_id), ('campaign', campaign_id),
        ('country', country_id), ('device', device_id)
    ) AS named (dimension, name_id)
    WHERE sale IS NOT NULL AND name_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""
_SESSIONS = """
    SELECT date_trunc(%s, started, 'UTC'), site_id, is_bot, count(*), count(*) FILTER (WHERE events = 1), sum(events),
        sum(extract(epoch FROM ended - started))
    FROM (
        SELECT visitor_id, site_id, is_bot, number, min(at) AS started, max(at) AS ended, count(*) AS events FROM (
            SELECT *, sum(starts) OVER (PARTITION BY visitor_id, site_id, is_bot ORDER BY at ROWS UNBOUNDED PRECEDING)
                AS number
            FROM (
                SELECT *, (at - lag(at) OVER (PARTITION BY visitor_id, site_id, is_bot ORDER BY at)
                    < interval '30 minutes') IS NOT TRUE AS is_start FROM (
                    SELECT visitor_id, site_id, device.name = 'Bot' AS is_bot, date_trunc('second', ts) AS at
                    FROM events JOIN names AS device ON device.id = device_id
                ) AS seconds
            ) AS marked, LATERAL (SELECT is_start::integer) AS counted (starts)
        ) AS numbered GROUP BY visitor_id, site_id, is_bot, number
    ) AS sessions GROUP BY 1, 2, 3
"""
_WRONG_ORDERS = """
    SELECT 'events', visitor_id, order_id, count(sale), min(ts) FROM events WHERE value IS NOT NULL AND order_id <> ''
    GROUP BY visitor_id, order_id, least(value, 0)
    HAVING count(sale) <> 1 OR min(ts) <> min(ts) FILTER (WHERE sale IS NOT NULL)
    UNION ALL
    SELECT 'events', visitor_id, order_id, count(sale), ts FROM events
    WHERE value IS NOT NULL AND coalesce(order_id, '') = '' AND sale IS NULL GROUP BY visitor_id, order_id, ts
"""
_RECOMPUTED = {"traffic": _TRAFFIC, "sales": _SALES, "sessions": _SESSIONS}
_STORED = {
    "traffic_1m": "SELECT * FROM traffic_1m",
    "traffic_1h": "SELECT * FROM traffic_1h",
    "traffic_1d": "SELECT * FROM traffic_1d",
    "sales_1m": "SELECT * FROM sales_1m",
    "sales_1h": "SELECT * FROM sales_1h",
    "sales_1d": "SELECT * FROM sales_1d",
    "sessions_1m": "SELECT * FROM sessions_1m",
    "sessions_1h": "SELECT * FROM sessions_1h",
    "sessions_1d": "SELECT * FROM sessions_1d",
}


def wrong_rows(url: str) -> list[tuple[Any, ...]]:
    """The rows of rollups that differ from raw events, or lack there: each with its table, stored or recomputed.

    And the orders of which another event counts than the first, or more or fewer than one.
    """
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        wrong = [
            (table, *row)
            for table, statement in _STORED.items()
            for kind, length in [table.split("_")]
            for stored in [Counter(connection.execute(statement).fetchall())]
            for recomputed in [Counter(connection.execute(_RECOMPUTED[kind], [_SPANS[length]]).fetchall())]
            for row in (stored - recomputed) + (recomputed - stored)
        ]
        return wrong + connection.execute(_WRONG_ORDERS).fetchall()
