"""Refuses what a page of another site could ask for, before Streamlit sees it.

Streamlit itself compares a foreign `Origin` with this machine's public address, which it asks an internet host for, and
waits. So it never sees an `Origin` that it would not recognise at once.
"""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.dashboard.web import refusals
from services.dashboard.web.hosts import Hosts, is_own_origin, read_site
from services.dashboard.web.refusals import Refusal
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

CLOSED: Final = ("_stcore/upload_file", "_stcore/agent", "_stcore/metrics")
"""What Streamlit offers and no page needs."""

_MOST_LOGGED: Final = 100
_READING: Final = ("GET", "HEAD")
_FRAMES: Final = ("iframe", "frame", "embed", "object", "fencedframe")


class Guard:
    """ASGI middleware. `posts` are the paths that take a form; `is_framed`: pages of other sites may embed pages."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        base_path: str = "/",
        posts: Collection[str] = (),
        is_framed: bool = False,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._closed = tuple(base_path + path for path in CLOSED)
        self._posts = frozenset(posts)
        self._is_framed = is_framed
        self._logged: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(_without_origin(scope, headers), receive, send)
            return
        self._log(refusal, headers)
        await refuse(refusal, scope, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = read_site(hosts[0]) if len(hosts) == 1 else None
        if host is None or host.name not in self._hosts:
            return refusals.unknown_host(", ".join(hosts))
        is_encrypted = scope["scheme"] in ("https", "wss")
        if origins and not (len(origins) == 1 and is_own_origin(origins[0], host, is_encrypted=is_encrypted)):
            return refusals.foreign_site(", ".join(origins))
        if not self._is_own_fetch(scope, headers):
            return refusals.foreign_site(headers.get("referer", "unknown"))
        if scope["type"] == "http":
            if scope["path"].startswith(self._closed):
                return refusals.NOT_FOUND
            if scope["method"] not in _READING and not (scope["method"] == "POST" and scope["path"] in self._posts):
                return refusals.NOT_ALLOWED
        return None

    def _is_own_fetch(self, scope: Scope, headers: Headers) -> bool:
        """Whether the page itself asks, or a viewer opens it, maybe from a link.

        Browsers send these headers with every request to an encrypted or local address, also where no `Origin` is sent,
        as for `<script>`. "same-site" is another port or another subdomain, so it is foreign too.
        """
        if headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
            return True
        if scope["type"] != "http" or scope["method"] not in _READING:
            return False
        destination = headers.get("sec-fetch-dest", "document")
        return headers.get("sec-fetch-mode") == "navigate" and (
            destination == "document" or (self._is_framed and destination in _FRAMES)
        )

    def _log(self, refusal: Refusal, headers: Headers) -> None:
        about = (refusal.reason, f"{headers.get('host', '')[:100]} {headers.get('origin', '')[:100]}")
        if about in self._logged or len(self._logged) >= _MOST_LOGGED:
            return
        self._logged.add(about)
        logger.warning(
            "refused a request",
            reason=refusal.reason,
            host=headers.get("host", "")[:100],
            origin=headers.get("origin", "")[:100],
        )


async def refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answer a request or a WebSocket's handshake with the refusal."""
    kind = "http" if scope["type"] == "http" else "websocket.http"
    if kind == "websocket.http" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})
        return
    body = b"" if scope.get("method") == "HEAD" else refusal.body
    await send({"type": f"{kind}.response.start", "status": refusal.status, "headers": refusal.all_headers})
    await send({"type": f"{kind}.response.body", "body": body, "more_body": False})


def _without_origin(scope: Scope, headers: Headers) -> Scope:
    """The scope with an `Origin` that spells the host as `Host` does, or none for HTTP, where it is done with."""
    origin = headers.get("origin")
    if origin is None:
        return scope
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"origin"]
    if scope["type"] == "websocket":
        scheme = origin.partition("://")[0]
        kept.append((b"origin", f"{scheme}://{headers['host']}".encode("latin-1")))
    return {**scope, "headers": kept}
