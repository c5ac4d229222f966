"""One bounded GET, as a browser without scripts would make it: in time, bytes and redirects."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import Message
from threading import Thread
from typing import Final, NamedTuple

MOST_BYTES: Final = 2 << 20
MOST_SECONDS: Final = 10.0
_MOST_REDIRECTS: Final = 5
_AGENT: Final = "Clickpulse-check"


class Fetched(NamedTuple):
    """An answer. `body` has at most MOST_BYTES."""

    url: str  # after redirects
    status: int
    headers: Message
    body: bytes


class Unanswered(Exception):  # noqa: N818 - a state of the site
    """There is no answer; the message says why."""


Fetch = Callable[[str, Mapping[str, str]], Fetched]


def fetch(url: str, headers: Mapping[str, str], most_seconds: float = MOST_SECONDS) -> Fetched:
    """GET an http or https address with these headers. Raises Unanswered.

    A thread of its own, because a server may send its answer byte by byte, each within the socket's timeout.
    """
    found: list[Fetched | Unanswered] = []
    thread = Thread(target=lambda: found.append(_fetched(url, headers, most_seconds)), name="fetch", daemon=True)
    thread.start()
    thread.join(most_seconds)
    answer = found[0] if found else Unanswered(f"no complete answer within {most_seconds:g} s")
    if isinstance(answer, Unanswered):
        raise answer
    return answer


def _fetched(url: str, headers: Mapping[str, str], seconds: float) -> Fetched | Unanswered:
    if not url.lower().startswith(("http://", "https://")):
        return Unanswered(f"expected an address that begins with http:// or https://, got {url[:80]!r}")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": _AGENT, **headers})  # noqa: S310 - see above
        with _OPENER.open(request, timeout=seconds) as answer:
            return Fetched(answer.url, answer.status, answer.headers, answer.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return Fetched(error.url or url, error.code, error.headers, error.read(MOST_BYTES))
    except urllib.error.URLError as error:
        return Unanswered(str(error.reason))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Unanswered(f"{type(error).__name__}: {error}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MOST_REDIRECTS
    max_repeats = 2


def _opener() -> urllib.request.OpenerDirector:
    """Without the handlers of files and FTP, to which a page might redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER: Final = _opener()
