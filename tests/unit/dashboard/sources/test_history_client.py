"""The client of the API of history, on a real socket."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from services.dashboard.sources.history.client import HistoryClient
from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question
from tests.support.servers.server_process import free_port

QUESTION = Question("breakdown", (("from", "2026-11-28T00:00:00Z"), ("site", "a&b=c"), ("site", "ü")))


class Server(ThreadingHTTPServer):
    """Answers each request with `status` and `body`, and remembers the last one."""

    status, body = 200, b'{"rows": []}'
    path = ""
    authorization: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.path, self.server.authorization = self.path, self.headers["authorization"]
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def failure(client: HistoryClient) -> HistoryFailure:
    with pytest.raises(HistoryFailure) as raised:
        client.ask(QUESTION)
    return raised.value


def test_a_question_is_an_address_with_the_key_in_a_header(server: Server) -> None:
    assert HistoryClient(f"{server.url}/", "clickpulse_x").ask(QUESTION) == b'{"rows": []}'
    assert server.path == "/api/v1/breakdown?from=2026-11-28T00%3A00%3A00Z&site=a%26b%3Dc&site=%C3%BC"
    assert server.authorization == "Bearer clickpulse_x"


def test_without_a_key_none_is_sent(server: Server) -> None:
    server.authorization = "not seen"
    HistoryClient(server.url, None).ask(QUESTION)
    assert server.authorization is None


@pytest.mark.parametrize(
    ("status", "body", "is_refused", "reason"),
    [
        (401, b'{"message": "expected a key"}', True, "set HISTORY_API_KEY"),
        (400, b'{"message": "expected some of views, visitors"}', True, "400: expected some of views, visitors"),
        (429, b'{"message": "try again in 1 s"}', True, "429: try again in 1 s"),
        (503, b'{"message": "PostgreSQL does not answer"}', False, "503: PostgreSQL does not answer"),
        (502, b"<html>", False, "it answers 502"),
        (302, b"", True, "it answers 302"),
        (200, b"x" * 5_000_000, False, "longer than"),
    ],
)
def test_what_is_no_answer_is_a_reason(server: Server, status: int, body: bytes, is_refused: bool, reason: str) -> None:
    server.status, server.body = status, body
    failed = failure(HistoryClient(server.url, None))
    assert (failed.is_refused, reason in failed.reason) == (is_refused, True), failed.reason


def test_an_address_where_nothing_listens_is_a_reason() -> None:
    failed = failure(HistoryClient(f"http://127.0.0.1:{free_port()}", None))
    assert (failed.is_refused, "refused" in failed.reason) == (False, True), failed.reason
