"""Asks the API of history over HTTP (the edge)."""

import logging
import time
from collections.abc import Callable
from typing import Final

import httpx2
import msgspec

from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question

_MOST_BYTES: Final = 4 * 1024 * 1024  # of one answer. Ours take a few kilobytes
_CONNECT_SECONDS: Final = 2.0
_SPARE_SECONDS: Final = 2.0
_LONGEST_RETRY_SECONDS: Final = 60.0  # what a proxy says may be anything
_TOO_SLOW: Final = "too_slow"
_LONGEST_REASON: Final = 300


class _Said(msgspec.Struct):
    """What history says in place of an answer."""

    error: str = ""
    message: str = ""
    parameter: str = ""


def longest_answer_seconds(api_seconds: float) -> float:
    """How long history may take with HISTORY_API_SECONDS: a question waits so long for its turn, and works as long."""
    return 2 * api_seconds + _SPARE_SECONDS


class HistoryClient:
    """Thread-safe. Connects at the first question and keeps its connections.

    Where history asks to wait (`Retry-After`), no question is sent until then, but for a slow one: it alone waits.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        answer_seconds: float,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is where the API is, without `/api/v1`. Without a `key`, history answers this machine alone."""
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each request
        self._url = f"{url.rstrip('/')}/api/v1/"
        self._elapsed_seconds = elapsed_seconds
        self._held: tuple[float, HistoryFailure] | None = None  # until when, and why
        self._http = httpx2.Client(
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(answer_seconds, connect=_CONNECT_SECONDS),
            trust_env=False,  # a proxy for the web is none for this
        )

    def ask(self, question: Question) -> bytes:
        """The answer, as JSON. Raises HistoryFailure."""
        self._wait_as_asked()
        try:
            with self._http.stream("GET", self._url + question.kind, params=list(question.parameters)) as answer:
                body = _read(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HistoryFailure(str(error)[:_LONGEST_REASON] or type(error).__name__) from None
        if answer.status_code == httpx2.codes.OK:
            return body
        said = _said(body)
        failure = HistoryFailure(
            _reason(answer.status_code, said.message),
            is_refused=not answer.is_server_error,
            parameter=said.parameter,
            retry_seconds=_retry_seconds(answer.headers.get("retry-after", "")),
        )
        if failure.retry_seconds and said.error != _TOO_SLOW:
            self._held = self._elapsed_seconds() + failure.retry_seconds, failure
        raise failure

    def _wait_as_asked(self) -> None:
        """Raise HistoryFailure while history has asked to wait."""
        held = self._held
        if held is None:
            return
        until_s, failure = held
        left_s = until_s - self._elapsed_seconds()
        if left_s > 0:
            raise HistoryFailure(failure.reason, is_refused=failure.is_refused, retry_seconds=left_s)


def _retry_seconds(text: str) -> float:
    """Of `Retry-After`; 0 without one, and for a date, which history does not send."""
    return min(float(text), _LONGEST_RETRY_SECONDS) if text.isascii() and text.isdigit() else 0.0


def _read(answer: httpx2.Response) -> bytes:
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            raise HistoryFailure(f"the answer is longer than {_MOST_BYTES} bytes")
    return bytes(body)


def _said(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except msgspec.DecodeError:
        return _Said()


def _reason(status: int, message: str) -> str:
    if status == httpx2.codes.UNAUTHORIZED:
        return "it asks for a key: set HISTORY_API_KEY to one of its API_KEYS_FILE"
    return f"{status}: {message[:_LONGEST_REASON]}" if message else f"it answers {status}"
