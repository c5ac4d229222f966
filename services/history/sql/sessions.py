"""The statements that add a batch to sessions, and those to their rollups.

A session is a visitor's events of one site and audience with gaps under half an hour. Each event of the batch joins
the sessions that it is that close to, two of them if it is late: the table `sessions` has those, and the rollups
change by what they were and what they became.
"""

from typing import Final

import numpy as np
import psycopg
from psycopg import sql

from services.history.sql.binary import EPOCH_MS, Column, encoded
from services.history.sql.rollups import bucket_of

SESSION_BUCKETS: Final = {"sessions_1m": "minute", "sessions_1h": "hour", "sessions_1d": "day"}
"""The span of time of each rollup table's buckets."""

TEMPORARY: Final = ("fresh (LIKE sessions)", "touched (LIKE sessions)", "joined (LIKE sessions)")

_GAP_SECONDS: Final = 1800
_SECOND_US: Final = 1_000_000

_FRESH: Final = "COPY fresh FROM STDIN (FORMAT BINARY)"
_KINDS: Final = ("int8", "int4", "bool", "timestamptz", "timestamptz", "int8")
_TOUCHED: Final = """
    WITH deleted AS (
        DELETE FROM sessions AS old USING fresh
        WHERE old.visitor_id = fresh.visitor_id AND old.site_id = fresh.site_id AND old.is_bot = fresh.is_bot
            AND old.starts < fresh.ends + interval '1800 s' AND old.ends > fresh.starts - interval '1800 s'
        RETURNING old.*
    ) INSERT INTO touched SELECT * FROM deleted
"""
_JOINED: Final = """
    INSERT INTO joined SELECT visitor_id, site_id, is_bot, min(starts), max(ends), sum(views) FROM (
        SELECT *, count(*) FILTER (WHERE is_first) OVER (
            PARTITION BY visitor_id, site_id, is_bot ORDER BY starts, ends ROWS UNBOUNDED PRECEDING
        ) AS number FROM (
            SELECT *, coalesce(starts - max(ends) OVER (
                PARTITION BY visitor_id, site_id, is_bot ORDER BY starts, ends
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) >= interval '1800 s', true) AS is_first
            FROM (SELECT * FROM touched UNION ALL SELECT * FROM fresh) AS parts
        ) AS marked
    ) AS numbered GROUP BY visitor_id, site_id, is_bot, number
"""
_KEEP: Final = "INSERT INTO sessions SELECT * FROM joined"

# Named as the bucket's function expects it.
_CHANGES: Final = (
    "SELECT 1 AS sign, starts AS ts, * FROM joined UNION ALL SELECT -1 AS sign, starts AS ts, * FROM touched"
)
_ADD: Final = sql.SQL("""
    INSERT INTO {rollup} AS known (bucket, site_id, is_bot, sessions, bounces, views, duration_s)
    SELECT {bucket}, site_id, is_bot, sum(sign), coalesce(sum(sign) FILTER (WHERE views = 1), 0), sum(sign * views),
        sum(sign * extract(epoch FROM ends - starts))
    FROM ({changes}) AS changes GROUP BY 1, 2, 3
    ON CONFLICT (bucket, site_id, is_bot) DO UPDATE SET sessions = known.sessions + excluded.sessions,
        bounces = known.bounces + excluded.bounces, views = known.views + excluded.views,
        duration_s = known.duration_s + excluded.duration_s
""")
_DROP_EMPTY: Final = sql.SQL(
    "DELETE FROM {rollup} WHERE sessions = 0 "
    "AND bucket IN (SELECT {bucket} FROM (SELECT starts AS ts FROM touched) AS started)"
)
_ROLLUPS: Final = tuple(
    statement.format(rollup=sql.Identifier(rollup), bucket=bucket_of(span), changes=sql.SQL(_CHANGES))
    for rollup, span in SESSION_BUCKETS.items()
    for statement in (_ADD, _DROP_EMPTY)
)


def count_sessions(cursor: psycopg.Cursor, visitors: Column, sites: Column, are_bots: Column, times_ms: Column) -> None:
    """Add events to sessions: those of the columns."""
    with cursor.copy(_FRESH) as copy:
        copy.write(encoded(_folded(visitors, sites, are_bots, times_ms // 1000), _KINDS))
    for statement in (_TOUCHED, _JOINED, _KEEP):
        cursor.execute(statement)
    for rollup in _ROLLUPS:
        cursor.execute(rollup)


def _folded(visitors: Column, sites: Column, are_bots: Column, seconds: Column) -> list[Column]:
    """The sessions of these events alone, as columns of `fresh`."""
    order = np.lexsort((seconds, are_bots, sites, visitors))
    seconds = seconds[order]
    whose = np.stack([visitors, sites, are_bots])[:, order]
    is_first = np.ones(len(seconds), bool)
    is_first[1:] = (whose[:, 1:] != whose[:, :-1]).any(axis=0) | (np.diff(seconds) >= _GAP_SECONDS)
    firsts = np.flatnonzero(is_first)
    ends = np.append(firsts[1:], len(seconds))
    times = [(seconds[places] - EPOCH_MS // 1000) * _SECOND_US for places in (firsts, ends - 1)]
    return [*whose[:, firsts], *times, ends - firsts]
