"""The pages `sign-in` and `sign-out`: what they show, and what their forms do."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.dashboard.sign_in import pages
from services.dashboard.sign_in.by_provider import cookies_to_delete
from services.dashboard.sign_in.gate import documents
from services.dashboard.sign_in.gate.documents import FORM, NEXT, PASSWORD, SIGN_OUT, START
from services.dashboard.sign_in.gate.open_sockets import OpenSockets
from services.dashboard.sign_in.gate.provider_routes import ProviderRoutes
from services.dashboard.sign_in.gate.responses import Cookies, leading_to, page
from services.dashboard.sign_in.gate.throttle import Throttle, address_of, later, too_many, wait_for
from services.dashboard.sign_in.methods import SESSION_COOKIE, SHARE_COOKIE, ByPassword
from services.dashboard.sign_in.standings import Refused, SignedIn, SignedOut, Standing
from services.dashboard.sign_in.tokens import Form, Signer
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

_FORM_COOKIE: Final = "clickpulse_form"
_FORM_SECONDS: Final = 3_600
_MOST_BYTES: Final = 8_192
_TYPE: Final = "application/x-www-form-urlencoded"
_STALE: Final = "The form was too old or came from elsewhere. Try again."
_WRONG: Final = "This password is wrong."


class Forms:
    """Shows the forms and acts on them. One way to sign in is set: a password, or a provider."""

    def __init__(
        self,
        *,
        signer: Signer,
        by_password: ByPassword | None,
        provider: ProviderRoutes | None,
        attempts: Throttle,
        signed_out: SignedOut,
        sockets: OpenSockets,
        cookies: Cookies,
        now_s: Callable[[], float],
    ) -> None:
        self._signer, self._by_password, self._provider = signer, by_password, provider
        self._attempts, self._signed_out, self._sockets = attempts, signed_out, sockets
        self._cookies, self._now_s = cookies, now_s
        self._checking = asyncio.Lock()

    async def answer(
        self, path: str, standing: Standing, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request of one of the pages."""
        request = Request(scope, receive)
        is_post = request.method == "POST"
        if not is_post and request.method not in ("GET", "HEAD"):
            response = page(documents.message("Not allowed", "Nothing can be sent here."), 405, {"Allow": "GET, POST"})
        elif path == SIGN_OUT:
            response = await (self._sign_out(standing, app, request) if is_post else self._account(standing, request))
        elif is_post:
            response = await self._sign_in(request)
        elif isinstance(standing, SignedIn) and standing.access.page is None:
            response = leading_to(pages.relative(pages.read_next(request.query_params.get(NEXT))))
        elif self._provider is not None and START in request.query_params:
            waiting = self._attempts.wait_seconds(request)
            if not waiting:
                next_page = pages.read_next(request.query_params.get(NEXT))
                await self._provider.start(next_page, app, scope, receive, send)
                return
            response = too_many(waiting)
        else:
            response = self._ask(request)
        await response(scope, receive, send)

    def refusal(self, reason: str, request: Request) -> Response:
        """The page for someone whom the provider knows and the dashboard does not admit."""
        return self._with_form(request, lambda token: documents.refused(reason, token), 403)

    def _ask(self, request: Request) -> Response:
        """The page that asks to sign in."""
        asked = request.query_params
        wanted = asked.get(NEXT)
        # Streamlit's page comes here without saying which one it was.
        next_page = (
            pages.next_of_referrer(request.headers.get("referer")) if wanted is None else pages.read_next(wanted)
        )
        note = next((text for name, text in documents.NOTES.items() if name in asked), "")
        if self._by_password is None:
            return page(documents.provider_link(urlencode({START: "", NEXT: next_page}), note=note))
        return self._password_form(request, next_page, note=note)

    def _password_form(
        self, request: Request, next_page: str, status: int = 200, *, note: str = "", problem: str = ""
    ) -> Response:
        return self._with_form(
            request, lambda token: documents.password_form(next_page, token, note=note, problem=problem), status
        )

    def _with_form(self, request: Request, draw: Callable[[str], str], status: int = 200) -> Response:
        """A page whose form is only accepted from the browser that it is sent to."""
        cookie = request.cookies.get(_FORM_COOKIE, "")
        if not 32 <= len(cookie) <= 64 or not cookie.isascii():
            cookie = secrets.token_urlsafe(32)
        response = page(draw(self._signer.sign(Form(cookie, int(self._now_s()) + _FORM_SECONDS))), status)
        self._cookies.set(response, _FORM_COOKIE, cookie, is_encrypted=request.url.scheme == "https")
        return response

    async def _form(self, request: Request) -> dict[str, str] | None:
        """The fields of a form that this browser got from here; None for anything else."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
            return None
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MOST_BYTES:
                    return None
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=8))
        except (ClientDisconnect, ValueError):
            return None
        form = self._signer.read(Form, fields.get(FORM))
        cookie = request.cookies.get(_FORM_COOKIE)
        if form is None or cookie is None or form.until_s <= self._now_s():
            return None
        return fields if secrets.compare_digest(form.cookie.encode(), cookie.encode()) else None

    async def _sign_in(self, request: Request) -> Response:
        if self._by_password is None:
            return self._ask(request)
        fields = await self._form(request)
        if fields is None:
            return self._password_form(request, "", 403, problem=_STALE)
        next_page, address = pages.read_next(fields.get(NEXT)), address_of(request)
        if waiting := self._attempts.wait_seconds(request):
            return later(self._password_form(request, next_page, 429, problem=wait_for(waiting)), waiting)
        async with self._checking:  # one at a time, because each takes 64 MiB
            role = await to_thread.run_sync(self._by_password.passwords.role_of, fields.get(PASSWORD, ""))
        if role is None:
            logger.warning("a wrong password was tried", address=address)
            return self._password_form(request, next_page, 403, problem=_WRONG)
        logger.info("signed in", role=role, address=address)
        cookie, _ = self._by_password.start(role, self._now_s())
        response = leading_to(pages.relative(next_page))
        self._cookies.set(response, SESSION_COOKIE, cookie, is_encrypted=request.url.scheme == "https")
        return response

    async def _account(self, standing: Standing, request: Request) -> Response:
        if not isinstance(standing, SignedIn):
            return leading_to(documents.sign_in_address(""))
        return self._with_form(request, lambda token: documents.account(standing.access, token))

    async def _sign_out(self, standing: Standing, app: ASGIApp, request: Request) -> Response:
        if await self._form(request) is None:
            return self._with_form(request, lambda token: documents.sign_out(token, _STALE), 403)
        away = None
        is_shared = isinstance(standing, SignedIn) and standing.access.page is not None
        if isinstance(standing, SignedIn | Refused) and not is_shared:  # a link stays valid for the others
            until_s = standing.until_s if isinstance(standing, SignedIn) else int(self._now_s()) + _FORM_SECONDS
            self._signed_out.add(standing.key, until_s)
            await self._sockets.end(standing.key, "signed-out")
            away = None if self._provider is None else await self._provider.sign_out(app, request.scope)
        response = (
            leading_to(documents.sign_in_address("", "signed-out")) if away is None else page(documents.leaving(away))
        )
        for name in (SESSION_COOKIE, SHARE_COOKIE, *cookies_to_delete(request.cookies)):
            self._cookies.delete(response, name)
        return response
