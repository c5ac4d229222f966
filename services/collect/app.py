"""The ASGI application: a request's body, its protocol, the log, its answer. One event loop."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from services.collect.appender import Appender
from services.collect.bodies import too_large, unpacked
from services.collect.collecting import FAILED, Collecting, unavailable
from services.collect.heads import head_of, headers_of
from services.collect.keeping import Keeping
from services.collect.opt_out import opt_out
from services.collect.protocols import methods_of, plain_documents, refusal_of
from services.collect.proxies import Networks, client_address
from services.collect.request import READ_HEADERS, Answer, Rejected, Request
from services.collect.rules import Rules
from services.collect.tally import Tally
from shared.events.collected import Refused
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Respond = Callable[[int, bytes, bytes], None]
"""Sends a status, the lines of a head, and a body."""

Document = Callable[[Request], Answer]
Stream = Callable[[Request, Receive, Send], Awaitable[None]]

_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-max-age", b"86400"),
)
_KNOWN_HEADERS: Final = {name.encode(): name for name in READ_HEADERS}
_ALLOWED_HEADERS: Final = "authorization, content-type, content-encoding"


class Bounds(NamedTuple):
    """What a request may be."""

    body_bytes: int
    events: int


class CollectApp:
    """Answers requests. Lives in one event loop; the appender's thread writes to the log."""

    def __init__(
        self,
        rules: Rules,
        appender: Appender,
        tally: Tally,
        keeping: Keeping,
        *,
        bounds: Bounds,
        trusted: Networks,
        raw_topic: str,
        documents: Mapping[str, Document] | None = None,
        pages: Document | None = None,
        streams: Mapping[str, Stream] | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`documents` answers `GET` of paths that send no events, such as the script, and `pages` that of all others.

        `streams` answer by themselves.
        """
        self._collecting = Collecting(rules, appender, tally, keeping, bounds.events, raw_topic)
        self._tally, self._bounds, self._trusted = tally, bounds, trusted
        self._documents = {"/v1/opt-out": opt_out, **(documents or {})}
        self._pages, self._streams = pages, streams or {}
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. An error of ours is a 500 without details, and a line in the log."""
        if scope["type"] != "http":
            return
        headers = _headers_of(scope)
        if scope["path"] in self._streams:
            await self._streams[scope["path"]](self._request(scope, headers, b""), receive, send)
            return
        try:
            answer = await self._answer(scope, headers, receive)
        except Rejected as rejected:
            answer = refusal_of(scope["path"], rejected)
        except Exception:
            logger.exception("a request failed", path=scope["path"][:200])
            answer = FAILED
        await _send(answer, scope, headers.get("origin", ""), send)

    def is_direct(self, scope: Scope) -> bool:
        """Whether `answer_directly` takes the request: it sends events."""
        return scope["method"] in (methods_of(scope["path"]) or ())

    def answer_directly(self, scope: Scope, body: bytes, respond: Respond) -> None:
        """Answer a request that sends events, whose body is complete, as `__call__` does but without a task.

        `respond` is called in the event loop with status, head and body of the answer, now or when the log has the
        events.
        """
        headers = _headers_of(scope)
        origin = headers.get("origin", "")
        path = scope["path"]

        def answered(answer: Answer) -> None:
            respond(answer.status, head_of(answer, origin), answer.body)

        receipt = self._tally.request()
        try:
            body = self._unpacked(headers, body)
            route = (methods_of(path) or {})[scope["method"]]
            self._collecting.submit(route, self._request(scope, headers, body), receipt, answered)
        except Rejected as rejected:
            receipt.end(rejected)
            answered(refusal_of(path, rejected))
        except Exception as error:
            logger.exception("a request failed", path=path[:200])
            receipt.end(error)
            answered(FAILED)

    async def turn_away(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request on a connection beyond the limit with 503. It counts as one event if it would send any."""
        if scope["type"] != "http":
            return
        if scope["method"] in (methods_of(scope["path"]) or ()):
            with self._tally.request() as receipt:
                receipt.arrived(1)
                receipt.refuse(Refused.CROWDED)
        origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
        await _send(unavailable(Refused.CROWDED, (b"connection", b"close")), scope, origin, send)

    async def _answer(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        methods = methods_of(path)
        document = self._documents.get(path)
        if document is None and plain_documents.is_document(path):
            document = plain_documents.document
        if methods is None and document is None:
            if self._pages is None or method not in ("GET", "HEAD"):
                return Answer(404, b'{"error":"not_found"}')
            document = self._pages
        if method == "OPTIONS":
            asked = headers.get("access-control-request-headers", _ALLOWED_HEADERS)
            return Answer(
                204, headers=(*_PREFLIGHT, (b"access-control-allow-headers", asked.encode("latin-1", "replace")))
            )
        if document is not None and method in ("GET", "HEAD", "POST"):
            return document(self._request(scope, headers, b""))
        route = (methods or {}).get(method)
        if route is None:
            allowed = ", ".join((*(methods or ("GET",)), "OPTIONS"))
            return Answer(405, b'{"error":"method_not_allowed"}', headers=((b"allow", allowed.encode()),))
        with self._tally.request() as receipt:
            body = await self._body(headers, receive)
            return await self._collecting.answer(route, self._request(scope, headers, body), receipt)

    def _request(self, scope: Scope, headers: dict[str, str], body: bytes) -> Request:
        peer, _ = scope.get("client") or ("", 0)
        query = scope["query_string"].decode("latin-1")
        address = client_address(peer, headers, self._trusted)
        return Request(scope["method"], scope["path"], query, headers, body, address, self._now_ms())

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        most_bytes = self._bounds.body_bytes
        if headers.get("content-length", "").isdigit() and int(headers["content-length"][:19]) > most_bytes:
            raise too_large(most_bytes)
        return self._unpacked(headers, await _received(receive, most_bytes))

    def _unpacked(self, headers: dict[str, str], body: bytes) -> bytes:
        if len(body) > self._bounds.body_bytes:
            raise too_large(self._bounds.body_bytes)
        return unpacked(body, headers.get("content-encoding", "").strip().lower(), self._bounds.body_bytes)


def _headers_of(scope: Scope) -> dict[str, str]:
    known = _KNOWN_HEADERS.get
    return {read: value.decode("utf-8", "replace") for name, value in scope["headers"] if (read := known(name))}


async def _send(answer: Answer, scope: Scope, origin: str, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": headers_of(answer, origin)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


async def _received(receive: Receive, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Rejected(408, Refused.SLOW, "the request did not arrive in time, or its client left")
        part = message.get("body", b"")
        if part:
            size += len(part)
            if size > most_bytes:
                raise too_large(most_bytes)
            parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
