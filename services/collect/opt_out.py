"""`/v1/opt-out`: sets the one cookie, which drops all events of a browser, or deletes it. Pure."""

from typing import Final

from services.collect.request import Answer, Request
from services.collect.rules import OPT_OUT_COOKIE

_YEAR_SECONDS: Final = 365 * 86_400
_PAGE: Final = b"<!doctype html><meta charset=utf-8><title>%s</title><p>%s"


def opt_out(request: Request) -> Answer:
    """Set the cookie; `?undo` deletes it. The answer is a page that says so."""
    undoes = "undo" in request.parameters()
    age = 0 if undoes else _YEAR_SECONDS
    cookie = f"{OPT_OUT_COOKIE}=1; Max-Age={age}; Path=/; SameSite=Lax; HttpOnly"
    said = b"This browser's visits are counted again." if undoes else b"This browser's visits are not counted any more."
    return Answer(
        200,
        _PAGE % (b"Opt-out", said),
        "text/html; charset=utf-8",
        ((b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")),
    )
