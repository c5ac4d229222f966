"""The client of the API of history, on a real socket."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from services.dashboard.sources.history.client import HistoryClient, longest_answer_seconds
from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question
from tests.support.servers.server_process import free_port

SECONDS = 10.0
QUESTION = Question("breakdown", (("from", "2026-11-28T00:00:00Z"), ("site", "a&b=c"), ("site", "ü")))


class Server(ThreadingHTTPServer):
    """Answers each request with `status`, `body` and `retry_after`, and remembers the last one."""

    status, body = 200, b'{"rows": []}'
    retry_after: str | None = None
    requests = 0
    path = ""
    authorization: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.path, self.server.authorization = self.path, self.headers["authorization"]
        self.server.requests += 1
        self.send_response(self.server.status)
        if self.server.retry_after is not None:
            self.send_header("retry-after", self.server.retry_after)
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
    assert HistoryClient(f"{server.url}/", "clickpulse_x", SECONDS).ask(QUESTION) == b'{"rows": []}'
    assert server.path == "/api/v1/breakdown?from=2026-11-28T00%3A00%3A00Z&site=a%26b%3Dc&site=%C3%BC"
    assert server.authorization == "Bearer clickpulse_x"


def test_without_a_key_none_is_sent(server: Server) -> None:
    server.authorization = "not seen"
    HistoryClient(server.url, None, SECONDS).ask(QUESTION)
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
    failed = failure(HistoryClient(server.url, None, SECONDS))
    assert (failed.is_refused, reason in failed.reason) == (is_refused, True), failed.reason


def test_an_address_where_nothing_listens_is_a_reason() -> None:
    failed = failure(HistoryClient(f"http://127.0.0.1:{free_port()}", None, SECONDS))
    assert (failed.is_refused, "refused" in failed.reason) == (False, True), failed.reason


class Elapsed:
    """A clock that the test sets."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("status", "is_refused"), [(429, True), (503, False)])
def test_nothing_is_asked_before_history_wants_it(server: Server, status: int, is_refused: bool) -> None:
    elapsed = Elapsed()
    client = HistoryClient(server.url, None, SECONDS, elapsed)
    server.status, server.body, server.retry_after = status, b'{"error": "busy", "message": "try again"}', "7"
    assert failure(client).retry_seconds == 7
    server.status, server.body, server.retry_after = 200, b"{}", None
    elapsed.seconds += 6.5
    held = failure(client)
    assert (held.reason, held.is_refused, held.retry_seconds) == (f"{status}: try again", is_refused, 0.5)
    assert server.requests == 1
    elapsed.seconds += 0.5
    assert client.ask(QUESTION) == b"{}"


def test_a_slow_question_holds_up_no_other(server: Server) -> None:
    client = HistoryClient(server.url, None, SECONDS, Elapsed())
    server.status, server.body, server.retry_after = 503, b'{"error": "too_slow", "message": "took too long"}', "5"
    assert failure(client).retry_seconds == 5
    server.status, server.body = 200, b"{}"
    assert client.ask(QUESTION) == b"{}"


@pytest.mark.parametrize(("said", "seconds"), [("86400", 60), ("Fri, 31 Dec 2027 23:59:59 GMT", 0), ("-1", 0), ("", 0)])
def test_a_strange_time_to_wait_is_bounded(server: Server, said: str, seconds: float) -> None:
    server.status, server.retry_after = 503, said
    assert failure(HistoryClient(server.url, None, SECONDS, Elapsed())).retry_seconds == seconds


def test_the_client_outlasts_a_question_that_waits_for_its_turn_and_then_works() -> None:
    # `Reader.ask` of history: seconds for its turn, and as many for the statements.
    assert longest_answer_seconds(30) > 60
