"""Reads events for `clickpulse prove`, by plain SQL: it uses no rollup, and nothing that history remembers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from services.history.sql.connecting import Url, connect, failures
from shared.events.stored import StoredEvent, StoredFacts, StoredOffset

_NAMES: Final = StoredEvent._fields[StoredEvent._fields.index("site") : StoredEvent._fields.index("order_id")]
"""Texts that the table has as numbers of `names`."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE: Final = 20_000

_OFFSETS: Final = """
    SELECT topic, partition, next_offset, (extract(epoch FROM read_to) * 1000)::bigint,
        (extract(epoch FROM differs_to) * 1000)::bigint FROM history_offsets
"""
_KEPT_FROM: Final = "SELECT (extract(epoch FROM greatest(kept_from, '1970-01-01')) * 1000)::bigint FROM history_raw"
_EVENTS: Final = sql.SQL(
    "SELECT (extract(epoch FROM ts) * 1000)::bigint, visitor_id, {}, order_id, value FROM events "
    "WHERE ts >= %s AND ts < %s"
).format(sql.SQL(", ").join(sql.Identifier(f"{name}_id") for name in _NAMES))
_TEXTS: Final = "SELECT id, name FROM names WHERE id = ANY(%s)"
_REPEATS: Final = """
    SELECT EXISTS (
        SELECT FROM events WHERE ts >= %s AND event_digest IS NOT NULL
        GROUP BY visitor_id, event_digest HAVING count(*) > 1 AND max(ts) >= %s
    )
"""
_REPEATED_ORDERS: Final = """
    SELECT EXISTS (
        SELECT FROM events WHERE ts >= %s AND order_id <> '' AND value IS NOT NULL
        GROUP BY visitor_id, order_id, least(value, 0) HAVING count(*) > 1 AND max(ts) >= %s
    )
"""


class SqlStored:
    """`StoredHistory` of the tables at a URL, over one connection."""

    def __init__(self, url: Url, address: str) -> None:
        """Does not connect."""
        self._url = url
        self._connection: psycopg.Connection | None = None
        self.address = address

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def snapshot(self, topic: str) -> Iterator["Snapshot"]:
        """As `StoredHistory.snapshot`."""
        try:
            with failures():
                connection = self._connected()
                with connection.transaction():
                    yield Snapshot(connection, topic)
        except BaseException:
            self.close()  # the next snapshot connects again
            raise

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = connect(self._url)
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
        return self._connection


class Snapshot:
    """`StoredSnapshot` of the transaction that a connection is in."""

    def __init__(self, connection: psycopg.Connection, topic: str) -> None:
        """Reads the offsets."""
        self._connection = connection
        self._texts: dict[int | None, str | None] = {None: None}
        self._others_to_ms = self._differs_to_ms = 0
        self.offsets: Mapping[int, StoredOffset] = {}
        for own_topic, partition, next_offset, read_to_ms, differs_to_ms in connection.execute(_OFFSETS):
            if own_topic == topic:
                self.offsets = {**self.offsets, partition: StoredOffset(next_offset, read_to_ms)}
                self._differs_to_ms = max(self._differs_to_ms, differs_to_ms or 0)
            else:
                self._others_to_ms = max(self._others_to_ms, read_to_ms or 0)

    def facts(self, since_ms: int, repeated_since_ms: int) -> StoredFacts:
        """As `StoredSnapshot.facts`."""
        since = [_instant(repeated_since_ms), _instant(since_ms)]
        return StoredFacts(
            self._single(_KEPT_FROM, []),
            self._differs_to_ms,
            self._others_to_ms,
            self._single(_REPEATS, since),
            self._single(_REPEATED_ORDERS, since),
        )

    def events(self, since_ms: int, until_ms: int) -> Iterator[StoredEvent]:
        """As `StoredSnapshot.events`."""
        with self._connection.cursor("events") as cursor:  # of the server: the rows come in parts
            cursor.execute(_EVENTS, [_instant(since_ms), _instant(until_ms)], binary=True)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                self._learn({number for row in rows for number in row[2:-2]})
                texts = self._texts
                for timestamp_ms, visitor, *numbers, order_id, value in rows:
                    names = [texts[number] for number in numbers]
                    yield StoredEvent._make([timestamp_ms, visitor, *names, order_id, value])

    def _learn(self, numbers: set[int | None]) -> None:
        missing = [number for number in numbers if number not in self._texts]
        if missing:
            self._texts.update(self._connection.execute(_TEXTS, [missing]))

    def _single(self, statement: LiteralString, values: Sequence[datetime]) -> Any:
        row = self._connection.execute(statement, values).fetchone()
        assert row is not None, "one row"
        return row[0]


def _instant(timestamp_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=timestamp_ms)
