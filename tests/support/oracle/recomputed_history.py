"""The rollups of history computed from its raw events by plain SQL, which shares nothing with the service."""

from collections import Counter
from typing import Any

import psycopg

_SPANS = {"traffic_1m": "minute", "traffic_1h": "hour", "traffic_1d": "day"}

_RECOMPUTED = """
    SELECT date_trunc(%s, ts, 'UTC'), site_id, dimension, name_id, count(*), count(DISTINCT visitor_id)
    FROM events CROSS JOIN LATERAL (VALUES
        ('all', 0), ('category', category_id), ('product', product_id), ('country', country_id), ('device', device_id),
        ('browser', browser_id), ('operating_system', operating_system_id), ('event_type', event_type_id),
        ('source', source_id), ('channel', channel_id), ('campaign', campaign_id), ('page', page_id)
    ) AS named (dimension, name_id)
    WHERE name_id IS NOT NULL GROUP BY 1, 2, 3, 4
"""
_STORED = {
    "traffic_1m": "SELECT * FROM traffic_1m",
    "traffic_1h": "SELECT * FROM traffic_1h",
    "traffic_1d": "SELECT * FROM traffic_1d",
}


def wrong_rows(url: str) -> list[tuple[Any, ...]]:
    """The rows of rollups that differ from raw events, or lack there: each with its table, stored or recomputed."""
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return [
            (table, *row)
            for table, span in _SPANS.items()
            for stored in [Counter(connection.execute(_STORED[table]).fetchall())]
            for recomputed in [Counter(connection.execute(_RECOMPUTED, [span]).fetchall())]
            for row in (stored - recomputed) + (recomputed - stored)
        ]
