"""Asks the API of history over HTTP (the edge)."""

import logging
from typing import Final

import httpx2
import msgspec

from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question

_MOST_BYTES: Final = 4 * 1024 * 1024  # of one answer. Ours take a few kilobytes
_CONNECT_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 10.0
_LONGEST_REASON: Final = 300


class _Said(msgspec.Struct):
    """What history says in place of an answer."""

    message: str = ""
    parameter: str = ""


class HistoryClient:
    """Thread-safe. Connects at the first question and keeps its connections."""

    def __init__(self, url: str, key: str | None) -> None:
        """`url` is where the API is, without `/api/v1`. Without a `key`, history answers this machine alone."""
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each request
        self._url = f"{url.rstrip('/')}/api/v1/"
        self._http = httpx2.Client(
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,  # a proxy for the web is none for this
        )

    def ask(self, question: Question) -> bytes:
        """The answer, as JSON. Raises HistoryFailure."""
        try:
            with self._http.stream("GET", self._url + question.kind, params=list(question.parameters)) as answer:
                body = _read(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise HistoryFailure(str(error)[:_LONGEST_REASON] or type(error).__name__) from None
        if answer.status_code != httpx2.codes.OK:
            said = _said(body)
            reason = _reason(answer.status_code, said.message)
            raise HistoryFailure(reason, is_refused=not answer.is_server_error, parameter=said.parameter)
        return body


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
