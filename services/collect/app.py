"""The ASGI application: a request's body, its protocol, the log, its answer. One event loop."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from services.collect.answers import Outcome, answer_of
from services.collect.appender import Appender, Outgoing, Unavailable
from services.collect.bodies import too_large, unpacked
from services.collect.clicks import Mistake
from services.collect.dead_letters import MALFORMED, dead_letters_of, reason_of
from services.collect.opt_out import opt_out
from services.collect.protocols import methods_of, refusal_of
from services.collect.protocols.reading import Received, Route
from services.collect.proxies import Networks, client_address
from services.collect.request import Answer, Rejected, Request
from services.collect.rules import Judged, Rules
from services.collect.tally import Receipt, Tally
from shared.events.collected import Refused
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Document = Callable[[Request], Answer]
Stream = Callable[[Request, Receive, Send], Awaitable[None]]

RETRY_SECONDS: Final = 2
"""After a 503."""

_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-max-age", b"86400"),
)
_ALLOWED_HEADERS: Final = "authorization, content-type, content-encoding"
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")


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
        self._rules, self._appender, self._tally = rules, appender, tally
        self._bounds, self._trusted, self._raw_topic = bounds, trusted, raw_topic
        self._documents = {"/v1/opt-out": opt_out, **(documents or {})}
        self._pages, self._streams = pages, streams or {}
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. An error of ours is a 500 without details, and a line in the log."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in scope["headers"]}
        if scope["path"] in self._streams:
            await self._streams[scope["path"]](self._request(scope, headers, b""), receive, send)
            return
        try:
            answer = await self._answer(scope, headers, receive)
        except Rejected as rejected:
            answer = refusal_of(scope["path"], rejected)
        except Exception:
            logger.exception("a request failed", path=scope["path"][:200])
            answer = Answer(500, b'{"error":"internal"}')
        await _send(answer, scope, headers.get("origin", ""), send)

    async def turn_away(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request on a connection beyond the limit with 503. It counts as one event if it would send any."""
        if scope["type"] != "http":
            return
        if scope["method"] in (methods_of(scope["path"]) or ()):
            with self._tally.request() as receipt:
                receipt.arrived(1)
                receipt.refuse(Refused.CROWDED)
        origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
        await _send(_unavailable(Refused.CROWDED, (b"connection", b"close")), scope, origin, send)

    async def _answer(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        methods = methods_of(path)
        document = self._documents.get(path)
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
            return await self._collect(route, self._request(scope, headers, body), receipt)

    def _request(self, scope: Scope, headers: dict[str, str], body: bytes) -> Request:
        peer, _ = scope.get("client") or ("", 0)
        query = scope["query_string"].decode("latin-1")
        address = client_address(peer, headers, self._trusted)
        return Request(scope["method"], scope["path"], query, headers, body, address, self._now_ms())

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        most_bytes = self._bounds.body_bytes
        if headers.get("content-length", "").isdigit() and int(headers["content-length"][:19]) > most_bytes:
            raise too_large(most_bytes)
        body = await _received(receive, most_bytes)
        return unpacked(body, headers.get("content-encoding", "").strip().lower(), most_bytes)

    async def _collect(self, route: Route, request: Request, receipt: Receipt) -> Answer:
        try:
            received = route(request, self._bounds.events)
        except Rejected as rejected:
            if rejected.reason not in MALFORMED:
                raise
            received = _unreadable(request.path, rejected)
        receipt.arrived(len(received.events))
        if (signal := request.privacy_signal) is not None:
            self._tally.note_signal(signal, len(received.events))
        judged = self._rules.judge(received, request, time.monotonic())
        letters = []
        if judged.refused and self._rules.may_keep(request):
            letters = dead_letters_of(judged.refused, request, self._raw_topic)
        try:
            if judged.clicks or letters:
                await self._appender.append(Outgoing(judged.clicks, judged.identities, letters))
        except Unavailable as error:
            receipt.refuse(error.reason, len(received.events))
            return _unavailable(error.reason)
        receipt.accept(len(judged.clicks))
        for _, mistake in judged.refused:
            receipt.refuse(mistake.reason)
        self._tally.keep(reason_of(letter) for letter in letters)
        return self._answer_of(received, judged)

    def _answer_of(self, received: Received, judged: Judged) -> Answer:
        answer = received.answer(Outcome(len(judged.clicks), judged.refused))
        if judged.retry_after_seconds and answer.status >= 400:
            seconds = max(1, round(judged.retry_after_seconds + 0.5))
            return answer._replace(headers=(*answer.headers, (b"retry-after", str(seconds).encode())))
        return answer


def _unreadable(path: str, rejected: Rejected) -> Received:
    """A request that is refused as a whole, as one malformed event: its sender may have opted out, or send too much."""

    def answer(outcome: Outcome) -> Answer:
        ((_, mistake),) = outcome.refused
        return refusal_of(path, rejected) if mistake.reason == rejected.reason else answer_of(outcome)

    return Received([Mistake(rejected.reason, rejected.field or "", rejected.message)], answer=answer)


def _unavailable(reason: str, *headers: tuple[bytes, bytes]) -> Answer:
    retry = (b"retry-after", str(RETRY_SECONDS).encode())
    return Answer(503, b'{"error":"%s"}' % reason.encode(), headers=(retry, *headers))


async def _send(answer: Answer, scope: Scope, origin: str, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        _NO_SNIFFING,
        *answer.headers,
    ]
    if origin:
        # No answer holds anything about a visitor, so every page may read it.
        headers += [
            (b"access-control-allow-origin", origin.encode("latin-1", "replace")),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"origin"),
        ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
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
