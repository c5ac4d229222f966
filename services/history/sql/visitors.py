"""One visitor's rows: finds and erases them."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from services.history.rows import AFTER_NAMES, FIRST_NAME, Row, visitor_digest
from services.history.sql.connecting import Url, connect, failures, lock
from services.history.sql.migrating import migrate
from shared.events.timestamps import FUTURE_TOLERANCE_MS, LATEST_MS
from shared.privacy.erasures import Erasure, Erasures
from shared.privacy.visitor_history import VisitorErasure

TABLES: Final = (("events", "ts"), ("orders", "ts"), ("sessions", "starts"))
"""Every table with a `visitor_id`, and its column of time."""

_IDS: Final = "SELECT id FROM visitors WHERE digest = ANY(%s)"
_UP_TO: Final = sql.SQL("FROM {} WHERE visitor_id = ANY(%s) AND {} <= %s")
# Day by day, from the first to the last of them: TimescaleDB decompresses all that the times leave in question.
_SPANS: Final = sql.SQL("SELECT min({time}), max({time}) {up_to} GROUP BY date_trunc('day', {time}, 'UTC')")
_DELETE: Final = sql.SQL("DELETE FROM {table} WHERE visitor_id = ANY(%s) AND {time} BETWEEN %s AND %s")
_REMEMBER: Final = """
    INSERT INTO history_erasures (token, until_ms) SELECT token, %s FROM unnest(%s::text[]) AS new (token)
    ON CONFLICT (token) DO UPDATE SET until_ms = greatest(history_erasures.until_ms, excluded.until_ms)
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FOREVER: Final = LATEST_MS  # SQL keeps erasures for good, so that nothing old that is sent again brings a visitor back


def _selected() -> sql.Composed:
    """Every column of an event, with the texts that its numbers stand for."""
    columns: list[sql.Composable] = []
    for place, name in enumerate(Row._fields):
        if name == "visitor":
            columns.append(sql.SQL("visitors.name AS visitor"))
        elif FIRST_NAME <= place < AFTER_NAMES:
            columns.append(
                sql.SQL("(SELECT name FROM names WHERE id = {}) AS {}").format(
                    sql.Identifier(f"{name}_id"), sql.Identifier(name)
                )
            )
        elif name != "event_digest":
            columns.append(sql.Identifier(name))
    return sql.SQL(", ").join(columns)


_EVENTS: Final = sql.SQL(
    "SELECT {} FROM events JOIN visitors ON visitors.id = visitor_id WHERE visitor_id = ANY(%s) ORDER BY ts"
).format(_selected())


def number_of_erasures(cursor: psycopg.Cursor) -> int:
    """Differs from an earlier one if a visitor was erased since."""
    number: int = _single(cursor, "SELECT erasures FROM history_raw", [])
    return number


def erasures_of(cursor: psycopg.Cursor) -> Erasures:
    """The erasures of all visitors."""
    cursor.execute("SELECT token, until_ms FROM history_erasures")
    return Erasures({token: Erasure(until_ms, _FOREVER) for token, until_ms in cursor.fetchall()})


class SqlVisitors:
    """`VisitorHistory` of the tables at a URL."""

    def __init__(self, url: Url, address: str) -> None:
        """Does not connect."""
        self._url = url
        self.address = address

    def newest_ms(self, user_ids: Collection[str]) -> int | None:
        """As `VisitorHistory.newest_ms`."""
        with failures(), connect(self._url) as connection, connection.cursor() as cursor:
            ids = _ids(cursor, user_ids)
            newest = _single(cursor, "SELECT max(ts) FROM events WHERE visitor_id = ANY(%s)", [ids]) if ids else None
        return None if newest is None else (newest - _EPOCH) // _MILLISECOND

    def events(self, user_ids: Collection[str]) -> Sequence[dict[str, Any]]:
        """As `VisitorHistory.events`."""
        with failures(), connect(self._url) as connection, connection.cursor() as cursor:
            ids = _ids(cursor, user_ids)
            rows = connection.cursor(row_factory=dict_row).execute(_EVENTS, [ids]).fetchall() if ids else []
        return [{name: value for name, value in row.items() if value not in (None, "")} for row in rows]

    def count(self, user_ids: Collection[str], until_ms: int) -> int:
        """As `VisitorHistory.count`."""
        with failures(), connect(self._url) as connection, connection.cursor() as cursor:
            ids = _ids(cursor, user_ids)
            statement = sql.SQL("SELECT count(*) ") + _UP_TO.format(sql.Identifier("events"), sql.Identifier("ts"))
            return int(_single(cursor, statement, [ids, _last_of(until_ms)])) if ids else 0

    def erase(self, erasure: VisitorErasure) -> int:
        """As `VisitorHistory.erase`. Brings the schema up to date before.

        The lock of writers keeps out each batch that was built before; after it, such a batch is stale.
        """
        migrate(self._url)
        found = 0
        with failures(), connect(self._url) as connection, connection.transaction(), connection.cursor() as cursor:
            lock(cursor)
            cursor.execute(_REMEMBER, [erasure.until_ms, list(erasure.tokens)])
            cursor.execute("UPDATE history_raw SET erasures = erasures + 1")
            ids = _ids(cursor, erasure.user_ids)
            for table, time in TABLES:
                parts = {"table": sql.Identifier(table), "time": sql.Identifier(time)}
                spans = _SPANS.format(up_to=_UP_TO.format(*parts.values()), **parts)
                for first, last in cursor.execute(spans, [ids, _last_of(erasure.until_ms)]).fetchall():
                    cursor.execute(_DELETE.format(**parts), [ids, first, last])
                    found += cursor.rowcount if table == "events" else 0
            cursor.execute(
                "DELETE FROM visitors WHERE id = ANY(%s) "
                "AND NOT EXISTS (SELECT FROM events WHERE visitor_id = visitors.id)",
                [ids],
            )
        return found


def _last_of(until_ms: int) -> datetime:
    """The latest time of an event that an erasure covers.

    An event may have arrived before its time, within the tolerance, and SQL does not know the arrival.
    """
    return _EPOCH + (until_ms + FUTURE_TOLERANCE_MS) * _MILLISECOND


def _ids(cursor: psycopg.Cursor, user_ids: Collection[str]) -> list[int]:
    """The numbers of these visitors; none while there is no schema."""
    if _single(cursor, "SELECT to_regclass('visitors')", []) is None:
        return []
    cursor.execute(_IDS, [[digest for user_id in user_ids if (digest := _digest(user_id)) is not None]])
    return [number for (number,) in cursor.fetchall()]


def _digest(user_id: str) -> UUID | None:
    """None for a text that is not UTF-8, such as an argument of a shell may be: no event has it."""
    try:
        return visitor_digest(user_id)
    except UnicodeEncodeError:
        return None


def _single(cursor: psycopg.Cursor, statement: LiteralString | sql.Composed, values: Sequence[object]) -> Any:
    cursor.execute(statement, values)
    row = cursor.fetchone()
    assert row is not None
    return row[0]
