"""Stores batches: events, rollups and offsets in one transaction each."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from datetime import date
from threading import Event
from typing import Final, NamedTuple

import psycopg

from services.history.failures import StaleOffsets
from services.history.rows import Batch, Outcomes, may_count_again
from services.history.sql.connecting import Url, failures, lock
from services.history.sql.days import retire
from services.history.sql.session import Session
from services.history.sql.visitors import erasures_of, number_of_erasures
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.privacy.erasures import NO_ERASURES
from shared.streams.event_log import Assignment
from shared.streams.kafka.start_offset import Committed, Verdict, judge_committed

_NUMBER: Final = "UPDATE history_raw SET batches = batches + 1 RETURNING kept_from, batches"

_ADVANCE: Final = """
    UPDATE history_offsets SET next_offset = %s, read_to = greatest(read_to, %s)
    WHERE topic = %s AND topic_id = %s AND partition = %s AND next_offset = %s
"""
_ACCOUNT: Final = """
    UPDATE history_offsets SET kept = kept + %s, duplicates = duplicates + %s, expired = expired + %s,
        erased = erased + %s, refused = refused + %s, differs_to = greatest(differs_to, %s)
    WHERE topic = %s AND partition = %s
"""
_DIFFERS_NOW: Final = """
    UPDATE history_offsets SET differs_to = now() + %s * interval '1 millisecond' WHERE topic = %s AND partition = %s
"""


def _numbered(cursor: psycopg.Cursor) -> tuple[date, int]:
    """The first day that may have raw events, and the number of this batch."""
    row: tuple[date, int] | None = cursor.execute(_NUMBER).fetchone()
    assert row is not None, "history_raw has one row"
    return row


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


class Store:
    """History's tables, for one topic. Used by one thread.

    Its methods raise DatabaseUnavailable, and `write` also RowsRefused.
    """

    def __init__(self, url: Url, topic: str, stop: Event | None = None) -> None:
        """Does not connect. Once `stop` is set, `write` gives up."""
        self._url = url
        self._stop = stop or Event()
        self._topic = topic
        self._session: Session | None = None
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
                session.forget_visitors()
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
            if verdict is Verdict.RECREATED:  # aggregate counts nothing of the former one
                cursor.execute(_DIFFERS_NOW, [FUTURE_TOLERANCE_MS, self._topic, partition])
        return Place(topic_id, next_offset, verdict, lost)

    def write(self, batch: Batch, places: Mapping[int, Place]) -> dict[int, Outcomes]:
        """Store the batch, if each of its partitions is at its place. Returns the outcomes.

        Raises StaleOffsets, and Stopped.
        """
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
            session.begin(number)
            days = defaultdict(list)
            for partition, row in batch.rows:
                day = row.ts.date()
                if day >= kept_from:
                    days[day].append((partition, row))
                    outcomes[partition].kept += 1
                else:
                    outcomes[partition].expired += 1
            if days:
                for partition, at, first, is_same_site in session.insert(cursor, days):
                    outcomes[partition].kept -= 1
                    outcomes[partition].duplicates += 1
                    if may_count_again(batch.arrivals[partition], first, is_same_site=is_same_site):
                        batch.note_difference(partition, at)
            for partition, own in outcomes.items():
                values = [*astuple(own), batch.differs_to.get(partition), self._topic, partition]
                cursor.execute(_ACCOUNT, values)
        return outcomes

    def retire(self, today: date, *, raw_days: int, minute_days: int) -> list[date]:
        """As `days.retire`, in a transaction of its own."""
        with self._transaction() as (session, cursor):
            dropped = retire(cursor, today, raw_days=raw_days, minute_days=minute_days)
        session.forget_days(dropped)
        return dropped

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Session, psycopg.Cursor]]:
        with failures():
            session = self._session
            if session is None:
                session = self._session = Session(self._url, self._stop)
            try:
                with session.connection.transaction(), session.connection.cursor() as cursor:
                    lock(cursor)
                    yield session, cursor
            except BaseException:
                self.close()
                raise
