"""Raw events in memory are those in a real PostgreSQL, whatever happens to these while questions are asked."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL

from services.history.columns.counting import Count, count_spans
from services.history.columns.days import Columns
from services.history.columns.kept import Key
from services.history.columns.segment import AGE
from services.history.questions.state import Run
from services.history.questions.statements import Statement
from services.history.rows import build_batch
from services.history.sql.columns import READ_NEW
from services.history.sql.days import bounds_of
from services.history.sql.migrating import migrate
from services.history.sql.reading import Reader
from services.history.sql.store import Place, Store
from services.history.sql.visitors import SqlVisitors
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES
from shared.privacy.visitor_history import VisitorErasure
from shared.streams.event_log import Assignment, Record
from tests.support.history_api import ms
from tests.support.own_loop import run

TODAY = datetime.now(UTC).date()
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
COUNT = Statement("SELECT count(*), count(DISTINCT visitor_id) FROM events")
ALL = (ms(NOON - timedelta(days=40)), ms(NOON + timedelta(days=1)))


class History:
    """Stores events batch by batch."""

    def __init__(self, url: str) -> None:
        migrate(lambda: url)
        self.store = Store(lambda: url, "enriched")
        self._place = self.store.claim(Assignment(0, 0, 1 << 40, "a"))

    def add(self, *events: EnrichedEvent) -> None:
        first = self._place.next_offset
        records = [
            Record(0, offset, ms(NOON + timedelta(days=1)), None, encode_enriched(own))
            for offset, own in enumerate(events, first)
        ]
        batch = build_batch(records, decode_enriched, NO_ERASURES.erases)
        self.store.write(batch, {0: self._place})
        self._place = Place("a", batch.next_offsets[0])

    def retire(self, raw_days: int) -> None:
        self.store.retire(TODAY, raw_days=raw_days, minute_days=400)


@pytest.fixture
def history(history_url: str) -> Iterator[History]:
    history = History(history_url)
    yield history
    history.store.close()


def event(name: str, days_ago: int = 0) -> EnrichedEvent:
    return EnrichedEvent(timestamp=ms(NOON - timedelta(days=days_ago)), userId=name, eventId=f"{name} {days_ago}")


class Asking:
    """Asks a reader that keeps events in memory."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    async def columns(self) -> Columns:
        async def found(_run: Run, columns: Columns | None) -> Columns:
            assert columns is not None
            return columns

        return await self.reader.ask(found)

    async def loaded(self, complete_from: date = date.min) -> None:
        """Return when it has the events from that day on."""
        async with asyncio.timeout(60):
            while (await self.columns()).complete_from > complete_from:
                await asyncio.sleep(0.02)

    async def counts(self) -> list[tuple[int, int]]:
        """Events and visitors of all days, in PostgreSQL and in memory, on one snapshot."""

        async def both(query: Run, columns: Columns | None) -> list[tuple[int, int]]:
            assert columns is not None
            segments = columns.segments(*ALL)
            assert segments is not None
            visitors = {int(own) for segment in segments for own in segment.visitors}
            (counted,) = count_spans(segments, ALL, [], with_visitors=True)  # with what is kept
            assert counted == Count(sum(own.size for own in segments), len(visitors))
            (in_sql,) = await query(COUNT)
            return [(in_sql[0], in_sql[1]), (counted.views, len(visitors))]

        return await self.reader.ask(both)


def kept_days(columns: Columns) -> set[date]:
    """The days of which something is kept."""
    return {
        day
        for day, own in columns.days.items()
        for segment in own.segments
        if segment.kept.find([Key(segment.owner, AGE)])
    }


@asynccontextmanager
async def asking(url: str, most_bytes: int = 1 << 26) -> AsyncIterator[Asking]:
    reader = Reader(lambda: url, connections=4, seconds=60, most_bytes=most_bytes)
    try:
        yield Asking(reader)
    finally:
        await reader.close()


def test_every_batch_is_there_at_once(history: History, history_url: str) -> None:
    async def steps() -> None:
        async with asking(history_url) as asked:
            await asked.loaded()  # of no events
            for number, days_ago in enumerate([0, 3, 0, 1, 3, 30, 2], start=1):
                history.add(event(f"visitor {number}", days_ago), event("often", days_ago))
                in_sql, in_memory = await asked.counts()
                assert in_sql == in_memory
                assert in_sql[1] == number + 1

    history.retire(raw_days=31)
    run(steps())


def test_events_are_stored_between_a_snapshot_and_its_answer(history: History, history_url: str) -> None:
    async def add_while_asked(query: Run, columns: Columns | None) -> tuple[Any, Any]:
        await asyncio.to_thread(history.add, event("late"))
        assert columns is not None
        return await query(COUNT), [own.size for own in columns.segments(*ALL) or ()]

    async def steps() -> None:
        async with asking(history_url) as asked:
            await asked.loaded()
            assert await asked.reader.ask(add_while_asked) == ([(1, 1)], [1])
            assert await asked.counts() == [(2, 2), (2, 2)]

    history.add(event("first"))
    run(steps())


def test_a_new_batch_is_read_without_the_rest_of_its_day(history: History, history_url: str) -> None:
    def blocks(after_batch: int) -> int:
        with psycopg.connect(history_url) as connection:
            explained = connection.execute(
                SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + READ_NEW, [*bounds_of(TODAY), after_batch, 2]
            ).fetchone()
        assert explained is not None
        plan = explained[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    history.add(*(event(f"visitor {number}") for number in range(3_000)))
    history.add(event("new"))
    assert blocks(after_batch=0) > 40
    assert blocks(after_batch=1) < 8


def test_days_that_were_stored_before_are_loaded_and_those_past_dropped(history: History, history_url: str) -> None:
    async def steps() -> None:
        async with asking(history_url) as asked:
            await asked.loaded()
            assert await asked.counts() == [(31, 1), (31, 1)]
            before = await asked.columns()
            history.retire(raw_days=7)
            assert await asked.counts() == [(8, 1), (8, 1)]
            assert min((await asked.columns()).days) == TODAY - timedelta(days=7)
            assert kept_days(before) == {TODAY - timedelta(days=number) for number in range(8)}

    history.add(*(event("ada", days_ago) for days_ago in range(31)))
    history.retire(raw_days=31)
    run(steps())


def test_an_erased_visitor_is_in_memory_no_more(history: History, history_url: str) -> None:
    async def steps() -> None:
        async with asking(history_url) as asked:
            await asked.loaded()
            assert await asked.counts() == [(3, 2), (3, 2)]
            before = await asked.columns()
            assert kept_days(before)
            erasure = VisitorErasure(user_ids=["ada"], tokens=["token"], until_ms=ms(NOON))
            await asyncio.to_thread(SqlVisitors(lambda: history_url, "").erase, erasure)
            assert not (await asked.columns()).days
            assert not kept_days(before)
            await asked.loaded()
            assert await asked.counts() == [(1, 1), (1, 1)]

    history.add(event("ada"), event("ada", 1), event("bea", 1))
    run(steps())


def test_beyond_the_limit_the_latest_days_are_kept(history: History, history_url: str) -> None:
    async def steps() -> None:
        async with asking(history_url, most_bytes=14_000) as asked:
            yesterday = TODAY - timedelta(days=1)
            await asked.loaded(yesterday)
            # There is room for two of these days, and then for one.
            history.add(*(event(f"more {number}") for number in range(240)))
            columns = await asked.columns()
            assert (columns.complete_from, list(columns.days)) == (TODAY, [TODAY])
            assert columns.memory_bytes <= 14_000
            assert columns.segments(ms(NOON - timedelta(days=1)), ms(NOON)) is None

    for days_ago in range(3):
        history.add(*(event(f"visitor {number}", days_ago) for number in range(160)))
    run(steps())


def test_events_of_before_batches_had_numbers_are_loaded(history: History, history_url: str) -> None:
    async def steps() -> None:
        async with asking(history_url) as asked:
            await asked.loaded()
            assert await asked.counts() == [(2, 2), (2, 2)]
            history.add(event("new", 1))
            assert await asked.counts() == [(3, 3), (3, 3)]

    history.add(event("ada"), event("bea", 1))
    with psycopg.connect(history_url) as connection:
        connection.execute("UPDATE events SET batch_number = NULL")
        connection.execute("UPDATE history_days SET batch_number = 0")
    run(steps())
