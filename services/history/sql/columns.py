"""Keeps raw events in memory for questions, as PostgreSQL holds them at the instant of the question."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import psycopg
from psycopg import sql

from services.history.columns.days import Columns, DayColumns
from services.history.columns.segment import KEPT, NONE, Rows
from services.history.columns.whole import prepare
from services.history.latest_kept import LatestKept
from services.history.sql.binary import EPOCH_MS, aggregated, columns_in
from services.history.sql.days import bounds_of
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_HELD: Final = """
    SELECT kept_from, erasures, (SELECT array_agg(day ORDER BY day) FROM history_days WHERE day >= kept_from),
        (SELECT array_agg(batch_number ORDER BY day) FROM history_days WHERE day >= kept_from) FROM history_raw
"""
_EVENTS_OF: Final = "SELECT sum(views)::bigint FROM traffic_1d WHERE dimension = 'all' AND bucket = %s"
# An array for each column: a value for each row would cost Python a microsecond or more each.
_ARRAYS: Final = sql.SQL("SELECT {} FROM events WHERE ts >= %s AND ts < %s{}")
# With the last batch too, PostgreSQL takes it for few events, also while it has no statistics of the day.
_SINCE: Final = sql.SQL(" AND batch_number > %s AND batch_number <= %s")
_SMALLER: Final = sql.SQL("coalesce({}, {})::int4")

_EVENTS_AT_ONCE: Final = 500_000
_EVENT_BYTES: Final = 40
"""Of an event in memory, at most; usually about 28."""
_KEPT_SHARE: Final = 8
"""One part in so many of the memory is for what whole segments contribute to questions."""


def _read_as(column: str) -> sql.Composable:
    own = sql.Identifier(column)
    return _SMALLER.format(own, sql.Literal(NONE)) if column in KEPT else own


_WIDE: Final = ("ts", "visitor_id")
_COLUMNS: Final = (*_WIDE, *KEPT)
_READ: Final = aggregated(map(_read_as, _COLUMNS))
_READ_DAY: Final = _ARRAYS.format(_READ, sql.SQL(""))
READ_NEW: Final = _ARRAYS.format(_READ, _SINCE)
"""Events between two instants of the batches after one and up to another."""


class _Held(NamedTuple):
    """What PostgreSQL holds: the last batch of each day with events."""

    kept_from: date
    erasures: int
    batches: Mapping[date, int]


class ColumnCache:
    """Raw events of the latest days, in at most so many bytes. Lives in one event loop."""

    def __init__(self, most_bytes: int) -> None:
        self._kept = LatestKept(most_bytes // _KEPT_SHARE)
        self._most_bytes = most_bytes - most_bytes // _KEPT_SHARE
        self._erasures: int | None = None
        self._columns = Columns({}, date.max)
        self._is_full = False
        self.turn = asyncio.Lock()
        """Whoever takes a snapshot and asks for its columns has it, so that these never are of a later one."""

    async def at(self, connection: psycopg.AsyncConnection) -> Columns:
        """The columns at the snapshot of a connection, which the caller has taken since they have had the turn."""
        held = await _held(connection)
        self._forget(held)
        days = dict(self._columns.days)
        for day, number in held.batches.items():
            known = days.get(day, DayColumns(day, self._kept))
            if day >= self._columns.complete_from and known.batch_number < number:
                rows = await _read(connection, READ_NEW, [*bounds_of(day), known.batch_number, number])
                days[day] = await asyncio.to_thread(known.extended, [rows], number)
        self._keep(days, self._columns.complete_from)
        return self._columns

    async def load_day(self, connection: psycopg.AsyncConnection) -> bool:
        """Add the latest day that is not there. Returns whether there may be more to add."""
        held = await _held(connection)
        async with self.turn:
            self._forget(held)
        day = max((own for own in held.batches if own < self._columns.complete_from), default=None)
        if day is None:
            if self._columns.complete_from != date.min:
                self._columns = self._columns._replace(complete_from=date.min)
                self._log("all raw events are in memory")
            return False
        cursor = await connection.execute(_EVENTS_OF, [bounds_of(day)[0]])
        events = ((await cursor.fetchone()) or [0])[0] or 0
        if self._columns.memory_bytes + events * _EVENT_BYTES > self._most_bytes:
            if not self._is_full:
                self._is_full = True
                self._log("older raw events do not fit into HISTORY_COLUMNS_MEGABYTES")
            return False
        loaded = await self._read_day(connection, day, events, held.batches[day])
        async with self.turn:
            if self._erasures == held.erasures and day < self._columns.complete_from:
                self._keep({**self._columns.days, day: loaded}, day)
        for segment in loaded.segments:
            await asyncio.to_thread(prepare, segment)
        return True

    async def _read_day(self, connection: psycopg.AsyncConnection, day: date, events: int, number: int) -> DayColumns:
        start, end = bounds_of(day)
        pieces = 1 + events // _EVENTS_AT_ONCE
        edges = [start + (end - start) * place / pieces for place in range(pieces)] + [end]
        parts = [await _read(connection, _READ_DAY, list(own)) for own in pairwise(edges)]
        return await asyncio.to_thread(DayColumns(day, self._kept).extended, parts, number)

    def _forget(self, held: _Held) -> None:
        """Drop the days that are past, and all of them after an erasure: they hold the erased visitor."""
        if self._erasures != held.erasures:
            self._erasures, self._columns = held.erasures, Columns({}, date.max)
        days = {day: own for day, own in self._columns.days.items() if day >= held.kept_from}
        self._set(self._columns._replace(days=days))

    def _keep(self, days: Mapping[date, DayColumns], complete_from: date) -> None:
        """Keep these days, but for the oldest if they are too many."""
        columns = Columns(days, complete_from)
        while columns.days and columns.memory_bytes > self._most_bytes:
            oldest = min(columns.days)
            left = {day: own for day, own in columns.days.items() if day != oldest}
            columns = Columns(left, oldest + timedelta(days=1))
        self._set(columns)

    def _set(self, columns: Columns) -> None:
        self._columns = columns
        self._kept.keep_only({segment.owner for day in columns.days.values() for segment in day.segments})

    def _log(self, event: str) -> None:
        logger.info(event, days=len(self._columns.days), megabytes=self._columns.memory_bytes >> 20)


async def _held(connection: psycopg.AsyncConnection) -> _Held:
    row = await (await connection.execute(_HELD)).fetchone()
    assert row is not None, "history_raw has one row"
    kept_from, erasures, days, numbers = row
    return _Held(kept_from, erasures, dict(zip(days or (), numbers or (), strict=True)))


async def _read(connection: psycopg.AsyncConnection, statement: sql.Composed, values: list[datetime | int]) -> Rows:
    cursor = await connection.execute(statement, values, binary=True)
    kinds = ("int8" if name in _WIDE else "int4" for name in _COLUMNS)
    arrays = dict(zip(_COLUMNS, columns_in(cursor.pgresult, kinds), strict=True))
    return {**arrays, "ts_us": arrays["ts"] + EPOCH_MS * 1_000}
