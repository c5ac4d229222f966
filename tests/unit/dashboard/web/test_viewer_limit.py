"""How many pages are open at once, and how long a silent one stays."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from services.dashboard.web.viewer_limit import ViewerLimit
from tests.support import own_loop

PAGE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", b"text/html,*/*")]}
FILE: Scope = {"type": "http", "method": "GET", "path": "/x.js", "headers": [(b"accept", b"*/*")]}
SOCKET: Scope = {"type": "websocket", "path": "/", "headers": [], "extensions": {"websocket.http.response": {}}}


class Visitor:
    """One connection: `arriving` is what the browser sends, `sent` what it gets, `seen` what the app gets."""

    def __init__(self) -> None:
        self.arriving: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.seen: list[Message] = []

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> Any:
        return self.sent[0].get("status")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request; reads a WebSocket until it ends."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        scope["visitor"].seen.append(message)
    scope["visitor"].seen.append(message)


def visit(limit: ViewerLimit, scope: Scope) -> tuple[Visitor, "asyncio.Task[None]"]:
    visitor = Visitor()
    own = {**scope, "visitor": visitor}
    return visitor, asyncio.ensure_future(limit(own, visitor.arriving.get, visitor.send))


def test_one_page_too_many_gets_an_explanation_until_another_closes() -> None:
    async def work() -> None:
        limit = ViewerLimit(app, viewers=2)
        open_pages = [visit(limit, SOCKET) for _ in range(2)]
        await asyncio.sleep(0)
        for scope in (PAGE, SOCKET):
            refused, done = visit(limit, scope)
            await done
            assert refused.status == 503
            headers = dict(refused.sent[0]["headers"])
            assert headers[b"retry-after"] == headers[b"refresh"] == b"10"
            assert b"DASHBOARD_VIEWERS" in refused.sent[1]["body"]
        file, done = visit(limit, FILE)  # an open page may still need it
        await done
        assert file.status == 200
        visitor, closing = open_pages[0]
        visitor.arriving.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await closing
        page, done = visit(limit, PAGE)
        await done
        assert page.status == 200
        socket, _ = visit(limit, SOCKET)
        await asyncio.sleep(0)
        assert socket.sent == [{"type": "websocket.accept"}]

    own_loop.run(work())


def test_an_app_that_fails_leaves_its_place() -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("as Streamlit may")

    async def work() -> None:
        limit = ViewerLimit(fail, viewers=1)
        for _ in range(3):
            _, done = visit(limit, SOCKET)
            assert isinstance(await asyncio.gather(done, return_exceptions=True), list)
            assert isinstance(done.exception(), RuntimeError)

    own_loop.run(work())


def test_a_socket_without_a_message_is_closed() -> None:
    async def work() -> None:
        visitor, done = visit(ViewerLimit(app, viewers=1, first_message_seconds=0.01), SOCKET)
        visitor.arriving.put_nowait({"type": "websocket.connect"})
        await asyncio.wait_for(done, 60)
        assert visitor.sent[-1] == {"type": "websocket.close", "code": 1001, "reason": "idle"}
        assert visitor.seen[-1] == {"type": "websocket.disconnect", "code": 1001}

    own_loop.run(work())


def test_a_page_that_falls_silent_is_closed_much_later() -> None:
    async def work() -> None:
        limit = ViewerLimit(app, viewers=1, first_message_seconds=60, idle_seconds=0.01)
        visitor, done = visit(limit, SOCKET)
        message = {"type": "websocket.receive", "bytes": b"rerun"}
        visitor.arriving.put_nowait(message)
        await asyncio.wait_for(done, 60)
        assert visitor.seen == [message, {"type": "websocket.disconnect", "code": 1001}]
        assert visitor.sent[-1]["reason"] == "idle"

    own_loop.run(work())
