"""The statements that add events to sessions, and sessions to their rollups.

A session is a visitor's events of one site and audience with gaps under half an hour. Each new event joins the sessions
that it is that close to, two of them if it is late: the table `sessions` has those, and the rollups change by what they
were and what they became.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql

from services.history.sql.binary import EPOCH_MS, Column, aggregated, columns_in, encoded

TEMPORARY: Final = (
    "fresh (LIKE sessions)",
    "changed (LIKE sessions, is_gone boolean)",
    "session_increments (rollup smallint, LIKE sessions_1d)",
)

_BUCKETS: Final = {"sessions_1m": 60, "sessions_1h": 3600, "sessions_1d": 86_400}
"""Each rollup table, and the seconds of its buckets."""

_GAP_SECONDS: Final = 1800
_SECOND_US: Final = 1_000_000
_EPOCH_SECONDS: Final = EPOCH_MS // 1000

_COLUMNS: Final = ("int8", "int4", "bool", "timestamptz", "timestamptz", "int8")
_STARTS, _ENDS, _VIEWS = range(3, 6)
_TOUCHED: Final = sql.SQL("""
    SELECT {} FROM fresh JOIN sessions AS old
        ON old.visitor_id = fresh.visitor_id AND old.site_id = fresh.site_id AND old.is_bot = fresh.is_bot
        AND old.starts < fresh.ends + interval '1800 s' AND old.ends > fresh.starts - interval '1800 s'
""").format(
    aggregated(
        sql.Identifier("old", column) for column in ("visitor_id", "site_id", "is_bot", "starts", "ends", "views")
    )
)
_IS_SAME: Final = (
    "old.visitor_id = changed.visitor_id AND old.site_id = changed.site_id AND old.is_bot = changed.is_bot "
    "AND old.starts = changed.starts"
)
_CHANGE: Final = f"""
    UPDATE sessions AS old SET ends = changed.ends, views = changed.views FROM changed
    WHERE NOT is_gone AND {_IS_SAME}
"""  # noqa: S608 - constants
_REMOVE: Final = f"DELETE FROM sessions AS old USING changed WHERE is_gone AND {_IS_SAME}"  # noqa: S608

_INCREMENTS: Final = ("int2", "timestamptz", "int4", "bool", "int8", "int8", "int8", "int8")
_ADD: Final = sql.SQL("""
    MERGE INTO {rollup} AS known USING (SELECT * FROM session_increments WHERE rollup = {number}) AS new
        ON known.bucket = new.bucket AND known.site_id = new.site_id AND known.is_bot = new.is_bot
    WHEN MATCHED AND known.sessions + new.sessions = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET sessions = known.sessions + new.sessions, bounces = known.bounces + new.bounces,
        views = known.views + new.views, duration_s = known.duration_s + new.duration_s
    WHEN NOT MATCHED AND new.sessions <> 0 THEN INSERT (bucket, site_id, is_bot, sessions, bounces, views, duration_s)
        VALUES (new.bucket, new.site_id, new.is_bot, new.sessions, new.bounces, new.views, new.duration_s)
""")
_ADDS: Final = tuple(
    _ADD.format(rollup=sql.Identifier(rollup), number=number) for number, rollup in enumerate(_BUCKETS)
)

Sessions = list[Column]
"""The columns of `sessions`, with seconds since 2000 as times."""


def count_sessions(cursor: psycopg.Cursor, visitors: Column, sites: Column, are_bots: Column, times_ms: Column) -> None:
    """Add events to sessions: those of the columns."""
    seconds = times_ms // 1000 - _EPOCH_SECONDS
    fresh, _ = _joined([visitors, sites, are_bots, seconds, seconds, np.ones_like(seconds)])
    _copy(cursor, "fresh", fresh)
    touched = _touched(cursor)
    parts = [np.concatenate(both) for both in zip(touched, fresh, strict=True)]
    joined, places = _joined(parts)
    places = places[: len(touched[0])]
    goes_on = touched[_STARTS] == joined[_STARTS][places]
    is_known = np.zeros(len(joined[0]), bool)
    is_known[places[goes_on]] = True
    _change(cursor, [column[is_known] for column in joined], [column[~goes_on] for column in touched])
    _copy(cursor, "sessions", [column[~is_known] for column in joined])
    _add_to_rollups(cursor, joined, touched)


def _joined(parts: Sessions) -> tuple[Sessions, Column]:
    """The sessions that these parts of sessions make, and the place of each part's there."""
    *whose, starts, ends, views = parts
    order = np.lexsort((ends, starts, *reversed(whose)))
    sorted_starts, sorted_ends = starts[order], ends[order]
    sorted_whose = np.stack(whose)[:, order]
    is_other = _differs(sorted_whose)
    # Far apart for each visitor, site and audience, one running maximum does for all.
    shift = (np.cumsum(is_other) - 1) * (sorted_ends.max() - sorted_starts.min() + _GAP_SECONDS + 1)
    is_first = np.ones(len(order), bool)
    is_first[1:] = (sorted_starts + shift)[1:] - np.maximum.accumulate(sorted_ends + shift)[:-1] >= _GAP_SECONDS
    firsts = np.flatnonzero(is_first)
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(is_first) - 1
    lasts = np.maximum.reduceat(sorted_ends, firsts)
    return [*sorted_whose[:, firsts], sorted_starts[firsts], lasts, np.add.reduceat(views[order], firsts)], places


def _touched(cursor: psycopg.Cursor) -> Sessions:
    """The stored sessions that those of `fresh` continue or join, each once."""
    columns = columns_in(cursor.execute(_TOUCHED, binary=True).pgresult, _COLUMNS)
    for place in (_STARTS, _ENDS):
        columns[place] //= _SECOND_US
    keys = columns[: _STARTS + 1]
    order = np.lexsort(keys)
    firsts = order[_differs(np.stack(keys)[:, order])]
    return [column[firsts] for column in columns]


def _differs(keys: Column) -> npt.NDArray[np.bool]:
    """Whether each column of keys differs from the one before."""
    differs = np.ones(keys.shape[1], bool)
    differs[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    return differs


def _change(cursor: psycopg.Cursor, changed: Sessions, gone: Sessions) -> None:
    are_gone = np.repeat([0, 1], [len(changed[0]), len(gone[0])])
    if not are_gone.size:
        return
    _copy(cursor, "changed", [np.concatenate(both) for both in zip(changed, gone, strict=True)], are_gone)
    cursor.execute(_CHANGE)
    if gone[0].size:
        cursor.execute(_REMOVE)


def _copy(cursor: psycopg.Cursor, table: str, rows: Sessions, *further: Column) -> None:
    *whose, starts, ends, views = rows
    kinds = (*_COLUMNS, *("bool" for _ in further))
    with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table))) as copy:
        copy.write(encoded([*whose, starts * _SECOND_US, ends * _SECOND_US, views, *further], kinds))


def _add_to_rollups(cursor: psycopg.Cursor, joined: Sessions, touched: Sessions) -> None:
    _, sites, are_bots, starts, ends, views = (np.concatenate(both) for both in zip(joined, touched, strict=True))
    signs = np.repeat([1, -1], [len(joined[0]), len(touched[0])])
    figures = [signs, signs * (views == 1), signs * views, signs * (ends - starts)]
    ids, places = np.unique(sites, return_inverse=True)
    rows = []
    for number, seconds in enumerate(_BUCKETS.values()):
        # One number for bucket, site and audience sorts far sooner than three.
        keys, groups = np.unique((starts // seconds * len(ids) + places) * 2 + are_bots, return_inverse=True)
        sums = np.zeros((len(figures), len(keys)), np.int64)
        for own, figure in zip(sums, figures, strict=True):
            np.add.at(own, groups, figure)
        buckets = keys // 2 // len(ids) * seconds * _SECOND_US
        rows.append((np.full_like(keys, number), buckets, ids[keys // 2 % len(ids)], keys % 2, *sums))
    with cursor.copy("COPY session_increments FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(encoded([np.concatenate(column) for column in zip(*rows, strict=True)], _INCREMENTS))
    for statement in _ADDS:
        cursor.execute(statement)
