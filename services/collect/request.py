"""What a protocol reads and what it answers. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from shared.events.collected import Refused

_MOST_PARAMETERS: Final = 200


READ_HEADERS: Final = (
    "accept-encoding",
    "access-control-request-headers",
    "authorization",
    "cf-connecting-ip",
    "content-encoding",
    "content-length",
    "cookie",
    "dnt",
    "forwarded",
    "if-none-match",
    "origin",
    "referer",
    "sec-fetch-site",
    "sec-gpc",
    "sp-anonymous",
    "user-agent",
    "x-forwarded-for",
)
"""All that anything here reads. A browser sends as many again, which are not decoded."""


class Request(NamedTuple):
    """An HTTP request whose body is complete and unpacked. `headers` has READ_HEADERS by name in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str  # the client's, as TRUSTED_PROXIES decide
    arrived_ms: int

    def parameters(self) -> dict[str, str]:
        """The query's parameters, the last of a name winning. Raises Rejected when there are too many."""
        return form(self.query)

    @property
    def user_agent(self) -> str | None:
        """The client's user agent; None without one."""
        return self.headers.get("user-agent") or None

    @property
    def privacy_signal(self) -> str | None:
        """`gpc` or `dnt`, if the browser asks not to be followed."""
        if self.headers.get("sec-gpc") == "1":
            return "gpc"
        return "dnt" if self.headers.get("dnt") == "1" else None

    @property
    def origin(self) -> str:
        """The page's origin as its browser says; empty without one."""
        return self.headers.get("origin", "")


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()


class Rejected(Exception):  # noqa: N818 - the client's mistake
    """The whole request is refused with a 4xx. `reason` is one of `shared.events.collected`."""

    def __init__(self, status: int, reason: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.field = status, reason, message, field


def form(text: str) -> dict[str, str]:
    """The fields of a query or a form, the last of a name winning. Raises Rejected when there are too many."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="replace"))
    except ValueError:
        raise Rejected(400, Refused.NOT_A_FORM, f"more than {_MOST_PARAMETERS} parameters") from None
