"""The ASGI application: who asks, what, and the answer. One event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from services.history.api.formats import JSON, MEDIA_TYPES, Encoded, chosen_format, encoded
from services.history.api.keys import USUAL_REQUESTS_PER_MINUTE, Key, key_of
from services.history.api.openapi import description
from services.history.failures import DatabaseUnavailable
from services.history.questions.answering import Answer, answer
from services.history.questions.mistake import Mistake
from services.history.questions.parameters import read_question
from services.history.questions.question import KINDS, Question
from services.history.sql.reading import Busy, Reader, TooSlow
from shared.runtime.logs import get_logger
from shared.runtime.token_buckets import TokenBuckets

logger = get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

ROOT: Final = "/api/v1/"
DESCRIPTION: Final = f"{ROOT}openapi.json"
RETRY_SECONDS: Final = 5
"""After a 503."""

_LONGEST_QUERY: Final = 32_768
_MOST_PARAMETERS: Final = 1_000
_MOST_UNREAD_BYTES: Final = 128 << 20
_SMALL_BYTES: Final = 65_536
"""Of answers that are always given, as those for the dashboard are: connections limit them."""

_BURST_REQUESTS: Final = 60  # ten pages of Explore that are opened at once
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_encode: Final = msgspec.json.Encoder().encode


class Refusal(Exception):  # noqa: N818 - an answer
    """The request gets an error as its answer."""

    def __init__(self, status: int, error: str, message: str, headers: Headers = (), parameter: str | None = None):
        super().__init__(message)
        self.status, self.error, self.message, self.headers, self.parameter = status, error, message, headers, parameter


class _Left(Exception):  # noqa: N818 - a condition
    """The client has closed the connection."""


class ApiApp:
    """Answers questions to history. Without `keys` it answers everybody who asks a loopback name.

    Amounts are in `currency` unless a question names another.
    """

    def __init__(
        self,
        reader: Reader,
        keys: Sequence[Key] | None,
        *,
        currency: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_seconds: Callable[[], float] = time.monotonic,
        most_unread_bytes: int = _MOST_UNREAD_BYTES,
    ) -> None:
        self._reader, self._keys, self._currency, self._now = reader, keys, currency, now
        self._elapsed_seconds = elapsed_seconds
        self._most_unread_bytes, self._unread_bytes = most_unread_bytes, 0  # of answers that clients have not read yet
        self._description = Encoded(JSON, _encode(description(version("clickpulse"))))
        self._buckets = TokenBuckets(USUAL_REQUESTS_PER_MINUTE / 60, _BURST_REQUESTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. An error of ours is a 500 without details, and a line in the log."""
        if scope["type"] != "http":
            return
        try:
            found = await self._answer(scope, receive)
            self._reserve(len(found.body))
        except Refusal as refusal:
            await _send_refusal(refusal, scope, send)
        except _Left:
            pass
        except Exception:
            logger.exception("a question failed", path=scope["path"][:200])
            await _send_refusal(Refusal(500, "internal", "history has logged the reason"), scope, send)
        else:
            try:
                await _send(200, found, (), scope, send)
            finally:
                self._unread_bytes -= len(found.body)

    def _reserve(self, size: int) -> None:
        """Raises Refusal where clients leave too much in memory, but for a small answer or a single large one."""
        if size > _SMALL_BYTES and self._unread_bytes and self._unread_bytes + size > self._most_unread_bytes:
            raise _unavailable("busy", "too many answers that nobody reads")
        self._unread_bytes += size

    async def turn_away(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request on a connection beyond the limit with 503."""
        if scope["type"] == "http":
            await _send_refusal(_unavailable("busy", "too many connections", (b"connection", b"close")), scope, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Encoded:
        headers = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in scope["headers"]}
        self._admit(headers)
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal(405, "method_not_allowed", "expected GET", [(b"allow", b"GET, HEAD")])
        if scope["path"] == DESCRIPTION:
            return self._description
        kind = next((kind for kind in KINDS if scope["path"] == ROOT + kind), None)
        if kind is None:
            expected = ", ".join((*(ROOT + own for own in KINDS), DESCRIPTION))
            raise Refusal(404, "not_found", f"expected {expected}")
        media_type = chosen_format(headers.get("accept", ""))
        if media_type is None:
            raise Refusal(406, "not_acceptable", f"expected Accept with one of {', '.join(MEDIA_TYPES)}")
        now = self._now()
        try:
            question = read_question(kind, _pairs(scope["query_string"]), now, self._currency)
            found = await _while_connected(receive, self._ask(question, now))
        except Mistake as mistake:
            raise Refusal(400, "invalid", mistake.message, parameter=mistake.parameter) from None
        return await asyncio.to_thread(encoded, found, media_type)

    async def _ask(self, question: Question, now: datetime) -> Answer:
        try:
            return await self._reader.ask(lambda run, columns: answer(question, now, run, columns))
        except DatabaseUnavailable:
            raise _unavailable("database_unavailable", "PostgreSQL does not answer") from None
        except Busy:
            raise _unavailable("busy", "too many questions at once") from None
        except TooSlow:
            shorter = "expected a shorter window, or metrics without visitors"
            raise _unavailable("too_slow", f"the question took too long; {shorter}") from None

    def _admit(self, headers: dict[str, str]) -> None:
        """Raises Refusal."""
        if self._keys is None:
            # A page of a stranger's site can have its name resolve to this machine.
            if _host(headers.get("host", "")) not in _LOOPBACK:
                raise Refusal(403, "forbidden", "without API_KEYS_FILE history answers by a loopback name alone")
            return
        key = key_of(self._keys, headers.get("authorization", ""))
        if key is None:
            expected = "expected Authorization: Bearer with a key of API_KEYS_FILE"
            raise Refusal(401, "unauthorized", expected, [(b"www-authenticate", b"Bearer")])
        wait = self._buckets.take(key.name, 1, self._elapsed_seconds(), key.requests_per_minute / 60)
        if wait:
            seconds = str(int(wait) + 1)
            message = f"more than {key.requests_per_minute:g} requests a minute; try again in {seconds} s"
            raise Refusal(429, "rate_limited", message, [(b"retry-after", seconds.encode())])


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if len(query) > _LONGEST_QUERY:
        raise Refusal(414, "too_long", f"expected at most {_LONGEST_QUERY} bytes of parameters")
    try:
        return parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="replace"
        )
    except ValueError:
        raise Refusal(414, "too_long", f"expected at most {_MOST_PARAMETERS} parameters") from None


def _host(text: str) -> str:
    name = text.rpartition(":")[0] if text.rpartition(":")[2].isdigit() and not text.endswith("]") else text
    return name.lower()


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, Answer]) -> Answer:
    """What `work` returns. Raises _Left, and cancels it, when the client closes the connection."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_leave(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Left
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _unavailable(error: str, message: str, *headers: tuple[bytes, bytes]) -> Refusal:
    retry = (b"retry-after", str(RETRY_SECONDS).encode())
    return Refusal(503, error, f"{message}; try again in {RETRY_SECONDS} s", (retry, *headers))


async def _send_refusal(refusal: Refusal, scope: Scope, send: Send) -> None:
    said = {"error": refusal.error, "message": refusal.message}
    if refusal.parameter is not None:
        said["parameter"] = refusal.parameter
    await _send(refusal.status, Encoded(JSON, _encode(said)), refusal.headers, scope, send)


async def _send(status: int, found: Encoded, headers: Headers, scope: Scope, send: Send) -> None:
    all_headers = [
        (b"content-type", found.content_type.encode()),
        (b"content-length", str(len(found.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"vary", b"accept, authorization"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    body = b"" if scope["method"] == "HEAD" else found.body
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body"})  # waits until the client has read nearly all
