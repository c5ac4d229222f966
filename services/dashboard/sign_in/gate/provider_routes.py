"""Streamlit's routes for OpenID Connect, which only the gate calls: browsers reach the callback alone.

Streamlit answers them with redirects to absolute paths. The gate makes them relative, because the dashboard does not
know the path under which a proxy serves it.
"""

from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.auth_util import encode_provider_token
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from services.dashboard.sign_in import pages
from services.dashboard.sign_in.by_provider import PROVIDER
from services.dashboard.sign_in.gate import documents
from services.dashboard.sign_in.gate.responses import Cookies, leading_to, page
from services.dashboard.sign_in.gate.throttle import Throttle, too_many

CALLBACK: Final = "oauth2callback"
NEXT_COOKIE: Final = "clickpulse_next"
_BAD_REQUEST: Final = 400


class ProviderRoutes:
    """Calls Streamlit's routes in the app behind the gate."""

    def __init__(self, base_path: str, cookies: Cookies, answers: Throttle, *, is_encrypted: bool) -> None:
        """`answers` limits how often Streamlit looks at an answer of the provider, because it logs each wrong one."""
        self._base_path = base_path
        self._answers = answers
        self._cookies = cookies
        self._is_encrypted = is_encrypted

    async def start(self, next_page: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead the browser to the provider, and remember where it wants to go afterwards."""
        query = urlencode({"provider": encode_provider_token(PROVIDER)})
        remembered = leading_to("")
        self._cookies.set(remembered, NEXT_COOKIE, next_page, is_encrypted=scope["scheme"] == "https")

        answer: list[Message] = []

        async def collect(message: Message) -> None:
            answer.append(message)

        await app(self._own(scope, "auth/login", query), receive, collect)
        if answer[0]["status"] >= _BAD_REQUEST:  # Streamlit logs why
            await page(documents.message("Sign in", documents.NO_ANSWER), 502)(scope, receive, send)
            return
        self._secured(answer[0]).append("set-cookie", remembered.headers["set-cookie"])
        for message in answer:
            await send(message)

    async def callback(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """The provider's answer, or the way back from signing out there."""
        request = Request(scope)
        next_page = pages.read_next(request.cookies.get(NEXT_COOKIE))
        response = None
        if "error" in request.query_params:
            response = leading_to(documents.sign_in_address(next_page, "failed"))
        elif "code" not in request.query_params:
            response = leading_to(documents.sign_in_address("", "signed-out"))
        elif waiting := self._answers.wait_seconds(request):
            response = too_many(waiting)
        if response is not None:
            await response(scope, receive, send)
            return

        async def lead_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = self._secured(message)
                if _has_user(headers):
                    headers["location"] = pages.relative(next_page)
                else:
                    headers["location"] = documents.sign_in_address(next_page, "failed")
                headers["cache-control"] = "no-store"
            await send(message)

        await app(scope, receive, lead_on)

    async def sign_out(self, app: ASGIApp, scope: Scope) -> str | None:
        """The provider's address for signing out there too; None if it has none."""
        found: list[str] = []

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.append(Headers(raw=message["headers"]).get("location", ""))

        await app(self._own(scope, "auth/logout", ""), _nothing, look)
        return next((address for address in found if address.startswith(("https://", "http://"))), None)

    def _own(self, scope: Scope, path: str, query: str) -> Scope:
        full = self._base_path + path
        return {
            **scope, "method": "GET", "path": full, "raw_path": full.encode(), "query_string": query.encode(),
        }  # fmt: skip

    def _secured(self, message: Message) -> MutableHeaders:
        """The headers, with `Secure` on Streamlit's cookies, which it leaves out."""
        headers = MutableHeaders(raw=list(message["headers"]))
        message["headers"] = headers.raw
        if self._is_encrypted:
            for place, (name, value) in enumerate(headers.raw):
                if name == b"set-cookie" and b"; secure" not in value.lower():
                    headers.raw[place] = (name, value + b"; Secure")
        return headers


def _has_user(headers: Headers) -> bool:
    """Whether the response sets the user's cookie, rather than deleting it."""
    made = [cookie for cookie in headers.getlist("set-cookie") if cookie.startswith(f"{USER_COOKIE_NAME}=")]
    return bool(made) and "max-age=0" not in made[-1].lower()


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
