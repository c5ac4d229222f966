"""Stores batches: events, rollups and offsets in one transaction each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from datetime import date
from typing import Final, NamedTuple

import psycopg
from psycopg import sql

from services.history.failures import StaleOffsets
from services.history.questions.dimensions import BOT
from services.history.rows import AFTER_NAMES, FIRST_NAME, Batch, Outcomes, Row
from services.history.sql.connecting import Url, connect, failures, lock
from services.history.sql.days import bounds_of, create_day, retire, table_of
from services.history.sql.names import Names
from services.history.sql.products import NOTE_PRODUCTS
from services.history.sql.rollups import ADD_TO_ROLLUPS
from services.history.sql.sales import count_sales
from services.history.sql.sessions import TEMPORARY, count_sessions
from services.history.sql.visitors import erasures_of, number_of_erasures
from shared.privacy.erasures import NO_ERASURES
from shared.streams.event_log import Assignment
from shared.streams.kafka.start_offset import Committed, Verdict, judge_committed

_COLUMNS: Final = (
    *(("ts", "timestamptz"), ("visitor_id", "int8")),
    *((f"{name}_id", "int4") for name in Row._fields[FIRST_NAME:AFTER_NAMES]),
    *(("quantity", "int4"), ("age", "int2"), ("profile_age", "int2"), ("original_ts", "timestamptz")),
    *(("event_digest", "int8"), ("event_id", "text"), ("order_id", "text"), ("ip", "text"), ("birthdate", "text")),
    *(("value", "numeric"), ("cost", "numeric"), ("sale", "text")),  # as text, which an enumeration reads
)
_NAMES: Final = sql.SQL(", ").join(sql.Identifier(name) for name, _ in _COLUMNS)
_TYPES: Final = [*(kind for _, kind in _COLUMNS), "int4", "int8", "int8"]

_COPY: Final = sql.SQL("COPY batch ({}, partition, order_digest, tie) FROM STDIN (FORMAT BINARY)").format(_NAMES)
_OF_DAY: Final = sql.SQL("batch.ts >= {start} AND batch.ts < {end}")
_DROP_DUPLICATES: Final = sql.SQL(
    "DELETE FROM batch USING {table} AS known WHERE {of_day} AND known.visitor_id = batch.visitor_id "
    "AND known.event_digest = batch.event_digest RETURNING batch.partition"
)
_FIND_EARLIER: Final = sql.SQL(
    "INSERT INTO earlier SELECT known.* FROM (SELECT DISTINCT visitor_id FROM batch WHERE {of_day}) AS new "
    "JOIN {table} AS known USING (visitor_id)"
)
_INSERT: Final = sql.SQL("INSERT INTO {table} ({names}, batch_number) SELECT {names}, %s FROM batch WHERE {of_day}")
_NUMBER: Final = "UPDATE history_raw SET batches = batches + 1 RETURNING kept_from, batches"
_NOTE_DAYS: Final = """
    INSERT INTO history_days (day, batch_number) SELECT day, %s FROM unnest(%s::date[]) AS changed (day)
    ON CONFLICT (day) DO UPDATE SET batch_number = excluded.batch_number
"""

_BATCH: Final = "batch (LIKE events, partition integer, order_digest bigint, tie bigint)"
_PLANS: Final = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")

_ADVANCE: Final = """
    UPDATE history_offsets SET next_offset = %s, read_to = greatest(read_to, %s)
    WHERE topic = %s AND topic_id = %s AND partition = %s AND next_offset = %s
"""
_ACCOUNT: Final = """
    UPDATE history_offsets SET kept = kept + %s, duplicates = duplicates + %s, expired = expired + %s,
        erased = erased + %s, refused = refused + %s
    WHERE topic = %s AND partition = %s
"""


def _numbered(cursor: psycopg.Cursor) -> tuple[date, int]:
    """The first day that may have raw events, and the number of this batch."""
    row: tuple[date, int] | None = cursor.execute(_NUMBER).fetchone()
    assert row is not None, "history_raw has one row"
    return row


def _parts_of(day: date) -> dict[str, sql.Composable]:
    start, end = map(sql.Literal, bounds_of(day))
    return {"table": table_of(day), "of_day": _OF_DAY.format(start=start, end=end)}


class Place(NamedTuple):
    """Where reading a partition continues. `verdict` says what became of the records there."""

    topic_id: str
    next_offset: int
    verdict: Verdict = Verdict.USABLE
    lost: int | None = 0
    """How many records left the topic unread, at most: markers of transactions count. None if the log cannot tell."""


def _lost(next_offset: int, verdict: Verdict, assignment: Assignment) -> int | None:
    match verdict:
        case Verdict.EXPIRED if assignment.counts_records:
            return assignment.begin_offset - next_offset
        case Verdict.EXPIRED | Verdict.RECREATED:  # nobody knows how far a topic that is gone went
            return None
        case _:
            return 0


class _Session:
    """A connection, and what is remembered along it. A failed transaction ends it, so that no memory outlives one."""

    def __init__(self, url: Url) -> None:
        self.connection = connect(url)
        self.names = Names("names")
        self.visitors = Names("visitors")
        self.days: set[date] = set()
        try:
            for table in (_BATCH, "earlier (LIKE events)", "replaced (LIKE events)", *TEMPORARY):
                self.connection.execute(sql.SQL("CREATE TEMPORARY TABLE " + table + " ON COMMIT DELETE ROWS"))
        except BaseException:
            self.connection.close()
            raise


class Store:
    """History's tables, for one topic. Used by one thread.

    Its methods raise DatabaseUnavailable, and `write` also RowsRefused.
    """

    def __init__(self, url: Url, topic: str) -> None:
        """Does not connect."""
        self._url = url
        self._topic = topic
        self._session: _Session | None = None
        self._known_erasures = 0
        self.erasures = NO_ERASURES
        """Those in SQL at the last claim, which batches must honour. Redis may not know them any more, or not yet."""

    def close(self) -> None:
        """Close the connection."""
        session, self._session = self._session, None
        if session is not None:
            session.connection.close()

    def claim(self, assignment: Assignment) -> Place:
        """Where to read the partition. A recreated topic starts over; its events that are known are duplicates."""
        with self._transaction() as (session, cursor):
            partition = assignment.partition
            number = number_of_erasures(cursor)
            if number != self._known_erasures:
                session.visitors = Names("visitors")  # erased visitors have no number any more
                self.erasures = erasures_of(cursor)
                self._known_erasures = number
            cursor.execute(
                "INSERT INTO history_offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                [self._topic, assignment.topic_id, partition, assignment.begin_offset],
            )
            cursor.execute(
                "SELECT topic_id, next_offset FROM history_offsets WHERE topic = %s AND partition = %s",
                [self._topic, partition],
            )
            row = cursor.fetchone()
            assert row is not None, "inserted above"
            verdict = judge_committed(Committed(row[1], row[0]), assignment)
            # An id that is unknown now was known before, or will be.
            topic_id = assignment.topic_id or row[0]
            next_offset = row[1] if verdict is Verdict.USABLE else assignment.begin_offset
            lost = _lost(row[1], verdict, assignment)
            if (topic_id, next_offset) != row:
                cursor.execute(
                    "UPDATE history_offsets SET topic_id = %s, next_offset = %s, lost = lost + %s "
                    "WHERE topic = %s AND partition = %s",
                    [topic_id, next_offset, lost or 0, self._topic, partition],
                )
        return Place(topic_id, next_offset, verdict, lost)

    def write(self, batch: Batch, places: Mapping[int, Place]) -> dict[int, Outcomes]:
        """Store the batch, if each of its partitions is at its place. Returns the outcomes. Raises StaleOffsets."""
        outcomes = {partition: Outcomes(*astuple(own)) for partition, own in batch.outcomes.items()}
        with self._transaction() as (session, cursor):
            if number_of_erasures(cursor) != self._known_erasures:
                raise StaleOffsets("visitors were erased that the batch may hold")
            for partition, next_offset in batch.next_offsets.items():
                place = places[partition]
                known = [self._topic, place.topic_id, partition, place.next_offset]
                cursor.execute(_ADVANCE, [next_offset, batch.arrivals.get(partition), *known])
                if cursor.rowcount != 1:
                    raise StaleOffsets(f"partition {partition} is not at {place.next_offset} any more")
            kept_from, number = _numbered(cursor)
            rows = []
            for partition, row in batch.rows:
                if row.ts.date() >= kept_from:
                    rows.append((partition, row))
                    outcomes[partition].kept += 1
                else:
                    outcomes[partition].expired += 1
            if rows:
                self._insert(session, cursor, rows, outcomes, number)
            for partition, own in outcomes.items():
                cursor.execute(_ACCOUNT, [*astuple(own), self._topic, partition])
        return outcomes

    def retire(self, today: date, *, raw_days: int, minute_days: int) -> list[date]:
        """As `days.retire`, in a transaction of its own."""
        with self._transaction() as (session, cursor):
            dropped = retire(cursor, today, raw_days=raw_days, minute_days=minute_days)
        session.days.difference_update(dropped)
        return dropped

    @contextmanager
    def _transaction(self) -> Iterator[tuple[_Session, psycopg.Cursor]]:
        with failures():
            session = self._session
            if session is None:
                session = self._session = _Session(self._url)
            try:
                with session.connection.transaction(), session.connection.cursor() as cursor:
                    lock(cursor)
                    yield session, cursor
            except BaseException:
                self.close()
                raise

    @staticmethod
    def _insert(
        session: _Session,
        cursor: psycopg.Cursor,
        rows: list[tuple[int, Row]],
        outcomes: dict[int, Outcomes],
        number: int,
    ) -> None:
        visitors = session.visitors.ids(cursor, {row.visitor for _, row in rows})
        texts = {BOT, *(text for _, row in rows for text in row.names if text is not None)}
        names = session.names.ids(cursor, texts)
        days = sorted({row.ts.date() for _, row in rows})
        for day in days:
            if day not in session.days:
                create_day(cursor, day)
                session.days.add(day)
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for partition, row in rows:
                named = [None if text is None else names[text] for text in row.names]
                copy.write_row((row.ts, visitors[row.visitor], *named, *row[AFTER_NAMES:], partition, *row.order))
        # A temporary table has no statistics: the planner would read whole days to find a few visitors.
        for plan in _PLANS:
            cursor.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(plan)))
        parts_of_days = [_parts_of(day) for day in days]
        for parts in parts_of_days:
            for (partition,) in cursor.execute(_DROP_DUPLICATES.format(**parts)).fetchall():
                outcomes[partition].kept -= 1
                outcomes[partition].duplicates += 1
            cursor.execute(_FIND_EARLIER.format(**parts))
        count_sales(cursor)
        for parts in parts_of_days:
            cursor.execute(_INSERT.format(**parts, names=_NAMES), [number])
        cursor.execute(_NOTE_DAYS, [number, days])
        cursor.execute(NOTE_PRODUCTS)
        count_sessions(cursor, names[BOT])
        for plan in _PLANS:
            cursor.execute(sql.SQL("SET LOCAL {} = on").format(sql.Identifier(plan)))
        for statement in ADD_TO_ROLLUPS:
            cursor.execute(statement)
