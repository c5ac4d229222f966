"""Reads for questions, on connections of their own: they neither wait for what stores events nor keep it waiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, TypeVar

import psycopg

from services.history.columns.days import Columns
from services.history.failures import DatabaseUnavailable
from services.history.sql.columns import ColumnCache
from services.history.sql.connecting import Url, checked_url
from shared.runtime.logs import get_logger
from shared.runtime.tracebacks import error_text

Found = TypeVar("Found")

logger = get_logger(__name__)

_WAITING_PER_CONNECTION: Final = 64
_REFRESH_SECONDS: Final = 2.0
"""An erased visitor is in memory for no longer."""
_FAILED_SECONDS: Final = 60.0

# For the transaction alone: a pooler gives the session to others afterwards. Compiling would take longer than most
# statements; with more memory, the visitors of a month need no disk.
_PREPARE: Final = (
    "SELECT set_config('statement_timeout', %s, true), set_config('TimeZone', 'UTC', true), "
    "set_config('jit', 'off', true), set_config('work_mem', '32MB', true)"
)


class Busy(Exception):  # noqa: N818 - a condition
    """Too many questions are waiting."""


class TooSlow(Exception):  # noqa: N818 - same
    """A question took longer than it may."""


class Statement(Protocol):
    """SQL text and its values: `services.history.questions.statements.Statement`."""

    @property
    def text(self) -> str: ...
    @property
    def values(self) -> Mapping[str, Any]: ...


Run = Callable[[Statement], Awaitable[Sequence[tuple[Any, ...]]]]


class Reader:
    """Answers a bounded number of questions at once, and cannot write. Lives in one event loop."""

    def __init__(self, url: Url, *, connections: int, seconds: float, most_bytes: int) -> None:
        """Does not connect. A question may wait so many seconds for its turn, and then take as long.

        Raw events take up to `most_bytes` of memory.
        """
        self._url, self._seconds = url, seconds
        self._columns = ColumnCache(most_bytes) if most_bytes else None
        self._loading: asyncio.Task[None] | None = None
        self._turns = asyncio.Semaphore(connections)
        self._most_waiting = _WAITING_PER_CONNECTION * connections
        self._waiting = 0
        self._idle: list[psycopg.AsyncConnection] = []

    def start(self) -> None:
        """Begin to load raw events, so that the first question finds them. Without, that one begins."""
        if self._columns is not None and (self._loading is None or self._loading.done()):
            self._loading = asyncio.create_task(self._load(self._columns))

    async def ask(self, work: Callable[[Run, Columns | None], Awaitable[Found]]) -> Found:
        """Call `work` with what runs statements, and the raw events that are in memory, all on one snapshot.

        Raises DatabaseUnavailable, Busy and TooSlow.
        """
        await self._await_turn()
        try:
            async with asyncio.timeout(self._seconds):
                with _failures():
                    async with self._transaction() as connection:
                        columns = await self._begin(connection)
                        return await work(lambda statement: _run(connection, statement), columns)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._turns.release()

    async def close(self) -> None:
        """Close the connections that no question uses."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        while self._idle:
            await self._idle.pop().close()

    async def _await_turn(self) -> None:
        if self._waiting >= self._most_waiting:
            raise Busy
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[psycopg.AsyncConnection]:
        connection = await self._connection()
        try:
            async with connection.transaction():
                yield connection
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)

    async def _begin(self, connection: psycopg.AsyncConnection) -> Columns | None:
        """Take the transaction's snapshot, and bring the columns up to it."""
        if self._columns is None:
            await self._prepare(connection)
            return None
        self.start()
        async with self._columns.turn:
            await self._prepare(connection)
            return await self._columns.at(connection)

    async def _prepare(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(_PREPARE, [f"{self._seconds}s"])

    async def _load(self, columns: ColumnCache) -> None:
        """Load day after day, and then keep them up to date, so that no question has much to load."""
        while True:
            may_go_on, pause = False, _REFRESH_SECONDS
            try:
                with _failures():
                    async with self._transaction() as connection:
                        await self._prepare(connection)
                        may_go_on = await columns.load_day(connection)
                    if not may_go_on:
                        async with self._transaction() as connection, columns.turn:
                            await self._prepare(connection)
                            await columns.at(connection)
            except (DatabaseUnavailable, TooSlow) as error:
                logger.debug("raw events not loaded", error=error_text(error))
            except Exception:
                logger.exception("raw events not loaded, PostgreSQL answers instead")
                pause = _FAILED_SECONDS
            if not may_go_on:
                await asyncio.sleep(pause)

    async def _connection(self) -> psycopg.AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.execute("SELECT")
            except psycopg.OperationalError:  # the server was restarted meanwhile
                await connection.close()
            else:
                return connection
        url = await asyncio.to_thread(self._url)
        connection = await psycopg.AsyncConnection.connect(checked_url(url), autocommit=True, prepare_threshold=None)
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        return connection


async def _run(connection: psycopg.AsyncConnection, statement: Statement) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(statement.text, statement.values)
    return await cursor.fetchall()


@contextmanager
def _failures() -> Iterator[None]:
    """Raise DatabaseUnavailable and TooSlow for psycopg's exceptions, but for those of a wrong statement."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise TooSlow from None
    except (
        psycopg.OperationalError,
        psycopg.InternalError,  # this and the next: a day was dropped while the question looked at it
        psycopg.errors.UndefinedTable,  # this and the next: the schema is not up to date yet
        psycopg.errors.UndefinedColumn,
    ) as error:
        raise DatabaseUnavailable(error.diag.message_primary or type(error).__name__) from None
