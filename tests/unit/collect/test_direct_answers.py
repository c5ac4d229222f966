"""Answers without a task: the same as with one, and a server that keeps to HTTP around them."""

import asyncio
import gzip
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest

import services.collect
from services.collect.app import Bounds, CollectApp
from services.collect.appender import Appender, Done, Outgoing
from services.collect.heads import _kept_lines, head_of
from services.collect.keeping import Keeping
from services.collect.request import READ_HEADERS, Answer
from services.collect.rules import Rules
from services.collect.sites import Site, Sites
from services.collect.tally import Tally
from shared.events.limits import Limits
from shared.runtime.http_server import serve
from shared.runtime.token_buckets import TokenBuckets
from shared.status.gauges import Gauges
from shared.status.health import Health
from tests.support import own_loop
from tests.support.polling import eventually

PAGE = {"origin": "https://shop.example", "user-agent": "Firefox"}
CLICK = b'{"url":"https://shop.example/"}'


class _Log:
    async def append(self, _: Outgoing) -> None:
        pass

    def submit(self, _: Outgoing, done: Done) -> None:
        done(None)


def collector() -> CollectApp:
    buckets = partial(TokenBuckets, 1, 2)
    rules = Rules(Sites([Site("shop.example")]), Limits(), "drop", buckets(), buckets())
    return CollectApp(
        rules,
        cast(Appender, _Log()),
        Tally(Gauges()),
        Keeping(1e6, Gauges(), Health("collect")),
        bounds=Bounds(4096, 10),
        trusted=[],
        raw_topic="click-data",
        now_ms=lambda: 1_700_000_000_000,
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "/v1/events", CLICK, PAGE),
        ("POST", "/v1/events", CLICK, {}),
        ("POST", "/v1/events", CLICK, {**PAGE, "origin": "https://" + "x" * 300}),
        ("POST", "/v1/events", gzip.compress(CLICK, mtime=0), {**PAGE, "content-encoding": "gzip"}),
        ("POST", "/v1/events", CLICK, {**PAGE, "content-encoding": "br"}),
        ("POST", "/v1/events", b"[%s]" % b",".join([CLICK] * 9), PAGE),
        ("POST", "/v1/events", b"[%s]" % b",".join([CLICK] * 11), PAGE),
        ("POST", "/v1/events", b"{", PAGE),
        ("POST", "/v1/events", b" " * 5000, PAGE),
        ("POST", "/v1/events", CLICK, {**PAGE, "sec-gpc": "1"}),
        ("GET", "/v1/pixel.gif", b"", {**PAGE, "referer": "https://shop.example/a"}),
        ("POST", "/api/event", b"[]", PAGE),
        ("POST", "/v1/track", b"{}", PAGE),
        ("POST", "/com.acme/track", b"{}", PAGE),
    ],
)
def test_the_answer_is_the_same_as_with_a_task(method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
    sent: list[Any] = []
    found: list[tuple[int, bytes, bytes]] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.7", 1234),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    direct = collector()
    assert direct.is_direct(scope)
    for _ in range(2):  # the second head is a kept one
        found.clear()
        collector().answer_directly(scope, body, lambda *answer: found.append(answer))
    own_loop.run(collector()(scope, receive, send))
    start, end = sent
    head = b"".join(b"%s: %s\r\n" % header for header in start["headers"])
    assert found == [(start["status"], head, end["body"])]


def test_long_origins_are_not_kept() -> None:
    kept = _kept_lines.cache_info().currsize
    for number in range(3):
        assert b"x" * 300 in head_of(Answer(202), f"https://{number}" + "x" * 300)
    assert _kept_lines.cache_info().currsize == kept


def test_what_sends_no_event_is_left_to_the_application() -> None:
    asked = [("GET", "/s.js"), ("OPTIONS", "/v1/events"), ("GET", "/v1/events"), ("POST", "/v1/nothing")]
    assert not any(collector().is_direct({"method": method, "path": path}) for method, path in asked)


def test_no_header_is_read_that_is_not_decoded() -> None:
    code = "".join(path.read_text() for path in Path(services.collect.__path__[0]).glob("**/*.py"))
    read = re.findall(r'headers(?:\.get\(|\[)"([a-z-]+)"|"([a-z-]+)" in (?:request\.)?headers(?![.\w])', code)
    assert len(read) > 10
    assert {name or other for name, other in read} <= set(READ_HEADERS)


class Answers:
    """Answers POST directly with its body, and what reaches the application with `app`. It keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: list[Callable[[], None]] = []
        self.is_holding = False
        self.changed = Event()

    def is_direct(self, scope: Any) -> bool:
        return bool(scope["method"] == "POST")

    def answer_directly(self, _: Any, body: bytes, respond: Callable[[int, bytes, bytes], None]) -> None:
        self.asked.append("direct")
        answer = partial(respond, 202, b"content-length: %d\r\n" % len(body), body)
        loop = asyncio.get_running_loop()

        def release() -> None:
            loop.call_soon_threadsafe(answer)

        self.held.append(release)
        if not self.is_holding:
            answer()
        self.changed.set()

    async def __call__(
        self, _: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.asked.append("left")
                self.changed.set()
                return
            size += len(message["body"])
            if not message["more_body"]:
                break
        self.asked.append("task")
        body = b"%d" % size
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(answers: Answers) -> Iterator[tuple[int, Event]]:
    """The port, and what stops the server."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = Thread(target=serve, args=(answers, answers, listening, stop), kwargs={"direct": answers})
        thread.start()
        try:
            yield port, stop
        finally:
            stop.set()
            thread.join(30)
    assert not thread.is_alive()


def post(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in headers or (f"Content-Length: {len(body)}",))
    return f"POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode() + body


def read_answer(connection: Any) -> tuple[int, dict[str, str], bytes]:
    status = int(connection.readline().split()[1])
    headers = {}
    while line := connection.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name] = value
    return status, headers, connection.read(int(headers.get("content-length", 0)))


def test_requests_of_a_connection_are_answered_in_order() -> None:
    answers = Answers()
    answers.is_holding = True
    with serving(answers) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(post(b"one") + post(b"three") + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + post(b"four"))
        reader = client.makefile("rb")
        for number, body in enumerate((b"one", b"three")):
            assert answers.changed.wait(30)
            answers.changed.clear()
            assert len(answers.held) == number + 1  # the next one waits for the answer
            answers.held[number]()
            status, headers, found = read_answer(reader)
            assert (status, found, "date" in headers, "connection" in headers) == (202, body, True, False)
        assert read_answer(reader)[0] == 200
        assert answers.changed.wait(30)
        answers.held[2]()
        assert read_answer(reader)[2] == b"four"
    assert answers.asked == ["direct", "direct", "task", "direct"]


@pytest.mark.parametrize(
    ("request_bytes", "body", "asked"),
    [
        (post(b"12345"), b"12345", "direct"),
        (post(b"3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), b"abc", "direct"),
        (post(b"x" * 200_000), b"200000", "task"),
        (post(b"abc", "Content-Length: 3", "Expect: 100-continue"), b"3", "task"),
    ],
)
def test_large_bodies_and_those_that_await_a_go_ahead_get_a_task(request_bytes: bytes, body: bytes, asked: str) -> None:
    answers = Answers()
    with serving(answers) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(request_bytes)
        reader = client.makefile("rb")
        status, _, found = read_answer(reader)
        if status == 100:
            status, _, found = read_answer(reader)
        assert (found, answers.asked) == (body, [asked])
        client.sendall(post(b"again"))
        assert read_answer(reader)[2] == b"again"


def test_a_client_that_leaves_within_a_body_is_the_applications() -> None:
    answers = Answers()
    with serving(answers) as (port, _):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(post(b"abc", "Content-Length: 10"))
        assert answers.changed.wait(30)
    assert answers.asked == ["left"]


def test_an_answer_to_a_client_that_has_left_goes_nowhere() -> None:
    answers = Answers()
    answers.is_holding = True
    with serving(answers) as (port, _):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(post(b"abc"))
            assert answers.changed.wait(30)
        answers.held[0]()
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(client.makefile("rb"))[0] == 200


def test_a_client_that_wants_no_further_request_is_disconnected() -> None:
    answers = Answers()
    with serving(answers) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(post(b"abc", "Content-Length: 3", "Connection: close"))
        reader = client.makefile("rb")
        _, headers, _ = read_answer(reader)
        assert (headers["connection"], reader.read()) == ("close", b"")


def test_a_server_that_stops_answers_what_it_was_asked() -> None:
    answers = Answers()
    answers.is_holding = True
    with serving(answers) as (port, stop), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(post(b"abc"))
        assert answers.changed.wait(30)
        stop.set()
        while True:  # until it accepts no further connection, as it stops
            try:
                socket.create_connection(("127.0.0.1", port), 30).close()
            except OSError:
                break
        answers.held[0]()
        reader = client.makefile("rb")
        assert (read_answer(reader)[2], reader.read()) == (b"abc", b"")


def test_answers_that_nobody_reads_do_not_pile_up() -> None:
    answers = Answers()

    def send_on(client: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client.sendall(post(bytes(60_000)))

    with serving(answers) as (port, _), socket.create_connection(("127.0.0.1", port), 30) as client:
        sender = Thread(target=send_on, args=(client,))
        sender.start()
        try:
            eventually(lambda: "task" in answers.asked, "a task")  # which waits until the client reads
        finally:
            client.shutdown(socket.SHUT_RDWR)
            sender.join(30)
