"""How often a browser may try to sign in, and what it gets when that is too often."""

from collections.abc import Callable
from math import ceil

from starlette.requests import Request
from starlette.responses import Response

from services.dashboard.sign_in.attempts import Attempts
from services.dashboard.sign_in.gate import documents
from services.dashboard.sign_in.gate.responses import page


class Throttle:
    """Counts attempts by the browser's address. `elapsed_s` is a monotonic clock."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        self._attempts = Attempts(elapsed_s())
        self._elapsed_s = elapsed_s

    def wait_seconds(self, request: Request) -> int:
        """0 if it may try now, which counts as an attempt; else the seconds until it may."""
        return ceil(self._attempts.wait_seconds(address_of(request), self._elapsed_s()))


def address_of(request: Request) -> str:
    """The browser's address, as far as it is known."""
    return request.client.host if request.client else ""


def too_many(waiting_seconds: int) -> Response:
    """The page for a browser that must wait."""
    return later(page(documents.message("Sign in", wait_for(waiting_seconds)), 429), waiting_seconds)


def wait_for(seconds: int) -> str:
    """What to tell whoever tried too often."""
    return f"There were too many attempts. Try again in {seconds} s."


def later(response: Response, seconds: int) -> Response:
    """The response, which says when to try again."""
    response.headers["Retry-After"] = str(seconds)
    return response
