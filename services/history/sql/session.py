"""A connection that stores events, with what is remembered along it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from itertools import chain
from threading import Event
from typing import Final, NamedTuple

import numpy as np
import psycopg
from psycopg import sql

from services.history.questions.dimensions import BOT
from services.history.rows import AFTER_NAMES, FIRST_NAME, Row
from services.history.sql import rollups, sessions
from services.history.sql.binary import adapt
from services.history.sql.connecting import Url, connect
from services.history.sql.days import create_day, tables
from services.history.sql.events import (
    DEVICE,
    SALE,
    VISITOR,
    Values,
    columns_of,
    copy_rows,
    duplicates,
    events_of,
    is_empty,
)
from services.history.sql.names import Names
from services.history.sql.products import note_products
from services.history.sql.sales import count_sales
from services.history.traffic import Seen
from shared.runtime.dependency import Stopped

_TEMPORARY: Final = (
    "batch (LIKE events, place integer, order_digest bigint, tie bigint)",
    "replaced (LIKE events)",
    *sessions.TEMPORARY,
    rollups.TEMPORARY,
)
_PLACED: Final = (("place", "int4"), ("order_digest", "int8"), ("tie", "int8"))
_NOTE_DAYS: Final = """
    INSERT INTO history_days (day, batch_number) SELECT day, %s FROM unnest(%s::date[]) AS changed (day)
    ON CONFLICT (day) DO UPDATE SET batch_number = excluded.batch_number
"""
_PLANS: Final = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")
_SEEN_BYTES: Final = 256 << 20


class _Sale(NamedTuple):
    """Which row of a day is a sale, and its `Row.order`."""

    day: date
    place: int
    order: tuple[int, int] | tuple[None, None]


class Duplicate(NamedTuple):
    """A row that is stored already: the partition and time of its event, when that which is stored was, and whether
    their site is the same."""

    partition: int
    ts: datetime
    first: datetime
    is_same_site: bool


class Session:
    """Whoever uses it closes it after a failed transaction, so that no memory outlives one."""

    def __init__(self, url: Url, stop: Event) -> None:
        """Connects."""
        self._stop = stop
        self.connection = connect(url)
        adapt(self.connection)
        self._names = Names("names", "int4")
        self._days: set[date] = set()
        self._number = 0
        self._bot = 0
        self.forget_visitors()
        try:
            for table in _TEMPORARY:
                self.connection.execute(sql.SQL("CREATE TEMPORARY TABLE " + table + " ON COMMIT DELETE ROWS"))
            self._table_of = tables(self.connection.cursor())
        except BaseException:
            self.connection.close()
            raise

    def forget_visitors(self) -> None:
        """Forget which number each visitor has, and where they were seen."""
        self._visitors = Names("visitors", "int8")
        self._seen = Seen(_SEEN_BYTES)

    def forget_days(self, days: Iterable[date]) -> None:
        """Forget days that were dropped, and look again what the others need: TimescaleDB may have compressed one."""
        self._days.clear()
        self._seen.drop(days)

    def begin(self, number: int) -> None:
        """Call it with the number of each batch, even of one without rows."""
        if number != self._number + 1:  # what others stored since is unknown
            self._seen = Seen(_SEEN_BYTES)
        self._number = number

    def insert(self, cursor: psycopg.Cursor, days: Mapping[date, Sequence[tuple[int, Row]]]) -> list[Duplicate]:
        """Store the rows of each day, of the batch that began, with what they add to the rollups.

        Returns those that were stored before, which are left out. Raises Stopped.
        """
        # A temporary table has no statistics: the planner would read whole days to find a few visitors.
        for plan in _PLANS:
            cursor.execute(sql.SQL("SET LOCAL {} = off").format(sql.Identifier(plan)))
        stored: dict[date, list[Values]] = {}
        sales: list[_Sale] = []
        dropped: list[Duplicate] = []
        for day, values in self._values(cursor, days).items():
            self._check()
            self._create(cursor, day)
            known = duplicates(cursor, self._table_of(day), day, values)
            for place, first in known.items():
                partition, row = days[day][place]
                dropped.append(Duplicate(partition, row.ts, *first))
            new = [place for place in range(len(values)) if place not in known]
            if new:
                stored[day] = [values[place] for place in new]
                rows = enumerate(days[day][place][1] for place in new)
                sales += [_Sale(day, place, row.order) for place, row in rows if row.sale]
        if sales:
            _count_sales(cursor, stored, sales)
        if stored:
            self._store(cursor, stored)
        return dropped

    def _values(
        self, cursor: psycopg.Cursor, days: Mapping[date, Sequence[tuple[int, Row]]]
    ) -> dict[date, list[Values]]:
        """The rows of each day, with numbers in place of texts."""
        columns = {day: list(zip(*(row for _, row in rows), strict=True)) for day, rows in days.items()}
        visitors = self._visitors.ids(cursor, set(chain.from_iterable(own[VISITOR] for own in columns.values())))
        texts = chain.from_iterable(own[FIRST_NAME:AFTER_NAMES] for own in columns.values())
        names = self._names.ids(cursor, set().union([BOT], *texts) - {None})
        for own in columns.values():
            # By column, it takes half as long.
            own[VISITOR] = tuple(map(visitors.__getitem__, own[VISITOR]))
            own[FIRST_NAME:AFTER_NAMES] = [tuple(map(names.get, column)) for column in own[FIRST_NAME:AFTER_NAMES]]
            own.append((self._number,) * len(own[VISITOR]))
        self._bot = names[BOT]
        return {day: list(zip(*own, strict=True)) for day, own in columns.items()}

    def _create(self, cursor: psycopg.Cursor, day: date) -> None:
        if day not in self._days:
            create_day(cursor, day)
            self._days.add(day)

    def _store(self, cursor: psycopg.Cursor, days: Mapping[date, Sequence[Values]]) -> None:
        increments = []
        to_sessions = []
        for day, rows in days.items():
            self._check()
            events, at_ms = columns_of(rows)
            known = (cursor, self._table_of(day), day)
            increments.append((day, self._seen.add(day, events, partial(is_empty, *known), partial(events_of, *known))))
            are_bots = np.array([values[DEVICE] == self._bot for values in rows])
            to_sessions.append((events.visitors, events.sites, are_bots, at_ms))
            copy_rows(cursor, self._table_of(day), rows)
        self._check()
        cursor.execute(_NOTE_DAYS, [self._number, list(days)])
        note_products(cursor, chain.from_iterable(days.values()))
        sessions.count_sessions(cursor, *(np.concatenate(columns) for columns in zip(*to_sessions, strict=True)))
        self._check()
        rollups.add_to_rollups(cursor, increments)

    def _check(self) -> None:
        """Between steps: a large batch takes seconds, and nothing is lost by reading it again."""
        if self._stop.is_set():
            raise Stopped


def _count_sales(cursor: psycopg.Cursor, days: Mapping[date, list[Values]], sales: Sequence[_Sale]) -> None:
    """Count the sales, and remove what they count as from the rows that do not count."""
    rows = [(*days[sale.day][sale.place], number, *sale.order) for number, sale in enumerate(sales)]
    copy_rows(cursor, sql.Identifier("batch"), rows, _PLACED)
    for number in count_sales(cursor):
        own, place = days[sales[number].day], sales[number].place
        own[place] = (*own[place][:SALE], None, *own[place][SALE + 1 :])
