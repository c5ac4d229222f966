"""Responses and cookies of the gate."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import Message, Send

_KEPT_S: Final = 30 * 24 * 3600
"""Cookies outlive what they hold, so that a later visit says that it has ended."""

_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Cookie"}


def page(document: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A page of the gate; no cache keeps it."""
    return HTMLResponse(document, status, {**_HEADERS, **(headers or {})})


def leading_to(address: str) -> Response:
    """A redirect. The address is relative, so it stays on this site, under whatever path it is served."""
    return Response(status_code=303, headers={**_HEADERS, "Location": address})


def not_stored(send: Send) -> Send:
    """Sends a response that no cache keeps, so that going back after signing out asks the gate again."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(_HEADERS)
            message = {**message, "headers": headers.raw}
        await send(message)

    return send_on


class Cookies:
    """Sets and deletes the gate's cookies: signed, unreadable for scripts, not sent by forms of other sites."""

    def __init__(self, path: str, *, is_encrypted: bool) -> None:
        self._path = path
        self._is_encrypted = is_encrypted

    def set(self, response: Response, name: str, value: str, *, is_encrypted: bool) -> None:
        """Keep a value. `is_encrypted`: this request came over TLS."""
        response.set_cookie(
            name,
            value,
            max_age=_KEPT_S,
            path=self._path,
            secure=self._is_encrypted or is_encrypted,
            httponly=True,
            samesite="lax",
        )

    def delete(self, response: Response, name: str) -> None:
        """Have the browser forget a value, also one that was set for the whole host, as Streamlit does."""
        for path in {self._path, "/"}:
            response.delete_cookie(name, path=path, httponly=True, samesite="lax")
