"""What clients do not read of the API's answers is bounded."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from services.history.api.app import ApiApp
from services.history.questions.answering import Answer
from services.history.questions.state import State
from services.history.sql.reading import Reader
from tests.support import own_loop

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)


class _Empty:
    """A history without events."""

    async def ask(self, work: Any) -> Answer:
        async def nothing(statement: Any) -> list[tuple[Any, ...]]:
            return [(NOW.date(), NOW.date(), None, None, None)] if "history_raw" in statement.text else []

        answer: Answer = await work(nothing, None)
        assert isinstance(answer.state, State)
        return answer


class _Client:
    """Reads its answer once `reads` is set."""

    def __init__(self) -> None:
        self.status, self.body, self.reads, self.is_waiting = 0, b"", asyncio.Event(), asyncio.Event()

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        if self.body:
            self.is_waiting.set()
            await self.reads.wait()
        self.body += message.get("body", b"")


def asking(app: ApiApp, client: _Client, interval: bytes = b"minute") -> "asyncio.Task[None]":
    """A question for 24 hours: 1,440 rows by minute, 100 kB."""
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/timeseries", "headers": [(b"host", b"localhost")],
        "query_string": b"window=24h&interval=" + interval,
    }  # fmt: skip
    return asyncio.create_task(cast("Any", app(scope, client.receive, client.send)))


def test_answers_that_nobody_reads_do_not_fill_the_memory() -> None:
    async def scenario() -> list[int]:
        app = ApiApp(cast(Reader, _Empty()), None, currency="EUR", now=lambda: NOW, most_unread_bytes=100)
        large, refused, small, later = _Client(), _Client(), _Client(), _Client()
        for client in (refused, small, later):
            client.reads.set()
        first = asking(app, large)  # larger than all may be, but alone
        await large.is_waiting.wait()
        await asking(app, refused)
        await asking(app, small, b"hour")
        large.reads.set()
        await first
        await asking(app, later)
        assert b"too many answers that nobody reads" in refused.body
        return [client.status for client in (large, refused, small, later)]

    assert own_loop.run(scenario()) == [200, 503, 200, 200]
