"""The gate: ASGI middleware that lets only those who are signed in reach Streamlit.

Everything is closed unless it is listed here by its exact path, so no spelling of a path opens anything.
"""

from collections.abc import Callable
from http.cookies import CookieError
from typing import Final

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.dashboard.sign_in import pages
from services.dashboard.sign_in.access import HEADER, header_of
from services.dashboard.sign_in.gate import documents
from services.dashboard.sign_in.gate.documents import SIGN_IN, SIGN_OUT
from services.dashboard.sign_in.gate.forms import Forms
from services.dashboard.sign_in.gate.open_sockets import OpenSockets, lead_to_sign_in
from services.dashboard.sign_in.gate.provider_routes import CALLBACK, ProviderRoutes
from services.dashboard.sign_in.gate.responses import Cookies, leading_to, not_stored, page
from services.dashboard.sign_in.methods import SHARE_COOKIE, BySharedLink, Either
from services.dashboard.sign_in.standings import NOBODY, Expired, Nobody, Refused, SignedIn, SignedOut, Standing

_HEALTH: Final = "_stcore/health"
_HOST_CONFIG: Final = "_stcore/host-config"
_STREAM: Final = "_stcore/stream"
_READING: Final = ("GET", "HEAD")


class Gate:
    """Answers for whoever is not signed in, and tells the app what the others may see."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_path: str,
        method: Either,
        shared: BySharedLink,
        forms: Forms,
        provider: ProviderRoutes | None,
        signed_out: SignedOut,
        sockets: OpenSockets,
        cookies: Cookies,
        now_s: Callable[[], float],
    ) -> None:
        """`base_path` begins and ends with a slash. `provider`: whom Streamlit asks, if it does."""
        self._app = app
        self._base_path = base_path
        self._method, self._shared, self._signed_out = method, shared, signed_out
        self._forms, self._provider = forms, provider
        self._sockets, self._cookies, self._now_s = sockets, cookies, now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # Only the gate tells the app what someone may see.
        own = [(name, value) for name, value in scope["headers"] if name.lower() != HEADER.encode()]
        scope = {**scope, "headers": own}
        path = self._below_base(scope["path"])
        standing = self._standing(HTTPConnection(scope))
        if scope["type"] == "websocket":
            await self._websocket(path, standing, scope, receive, send)
        elif path == _HEALTH:
            await self._app(scope, receive, send)
        elif path == CALLBACK and self._provider is not None:
            await self._provider.callback(self._app, scope, receive, send)
        elif path in (SIGN_IN, SIGN_OUT):
            await self._forms.answer(path, standing, self._app, scope, receive, send)
        else:
            answer = self._refusal(path, standing, Request(scope))
            if answer is not None:
                await answer(scope, receive, send)
            else:
                await self._app(scope, receive, not_stored(send) if path in pages.TITLES else send)

    def _below_base(self, path: str) -> str | None:
        """The path below the base path; None outside it."""
        return path.removeprefix(self._base_path) if path.startswith(self._base_path) else None

    def _standing(self, connection: HTTPConnection) -> Standing:
        try:
            found = self._method.standing(connection.cookies, self._now_s())
        except (CookieError, UnicodeError):
            return NOBODY
        if isinstance(found, SignedIn | Refused) and found.key in self._signed_out:
            return NOBODY
        return found

    async def _websocket(
        self, path: str | None, standing: Standing, scope: Scope, receive: Receive, send: Send
    ) -> None:
        match standing:
            case SignedIn(access, until_s, key) if path == _STREAM:
                told = {**scope, "headers": [*scope["headers"], (HEADER.encode(), header_of(access).encode())]}
                note = "link-ended" if access.page is not None else "expired"
                await self._sockets.serve(self._app, told, receive, send, key=key, until_s=until_s, note=note)
            case Expired(is_shared) if path == _STREAM:
                await lead_to_sign_in("link-ended" if is_shared else "expired", receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})  # refuses the handshake

    def _refusal(self, path: str | None, standing: Standing, request: Request) -> Response | None:
        """The answer in place of Streamlit's; None: Streamlit answers."""
        is_page = path in pages.TITLES and request.method in _READING
        is_base = f"{request.scope['path']}/" == self._base_path
        if path is not None and is_page and pages.SHARE in request.query_params:
            return self._open_shared(path, standing, request)
        match standing:
            case SignedIn(access) if path in pages.TITLES and not access.may_see(path):
                return page(documents.other_page(access), 403)
            case SignedIn() if is_base or (path is not None and not path.startswith("auth/")):
                return None
            case Expired() if path == _HOST_CONFIG:
                return None  # a page that was open meanwhile asks for it before it connects
            case Refused(reason, _) if is_page:
                return self._forms.refusal(reason, request)
            case Expired(is_shared) if path is not None and is_page:
                return _to_sign_in(path, request, "link-ended" if is_shared else "expired")
            case Nobody() if path is not None and is_page:
                return _to_sign_in(path, request)
            case _ if is_base:
                # The base path without its slash, from where the pages are one folder down.
                return leading_to(f"{self._base_path.rstrip('/').rpartition('/')[2]}/{SIGN_IN}")
        return PlainTextResponse("Sign in first.\n", 401, {"Cache-Control": "no-store"})

    def _open_shared(self, path: str, standing: Standing, request: Request) -> Response:
        """Take the token of a shared link out of the address and into a cookie."""
        query = pages.without_share(str(request.query_params))
        here = pages.relative(f"{path}?{query}" if query else path)
        if isinstance(standing, SignedIn) and standing.access.page is None:
            return leading_to(here)  # who is signed in sees at least as much
        token = request.query_params[pages.SHARE]
        shared = self._shared.standing_of(token, self._now_s())
        if isinstance(shared, Expired):
            return page(documents.message("Link ended", documents.LINK_EXPIRED), 403)
        if not isinstance(shared, SignedIn) or shared.access.page != path or shared.key in self._signed_out:
            return page(documents.message("Unknown link", "This link is not valid. Check that it is complete."), 403)
        response = leading_to(here)
        self._cookies.set(response, SHARE_COOKIE, token, is_encrypted=request.url.scheme == "https")
        return response


def _to_sign_in(path: str, request: Request, note: str = "") -> Response:
    return leading_to(documents.sign_in_address(f"{path}?{request.url.query}" if request.url.query else path, note))
