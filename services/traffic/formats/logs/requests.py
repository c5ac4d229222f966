r"""A request of a server log, and the click that it is. Pure.

`userId` is a hash of the client and its user agent, `url` the request target behind the virtual host, if the log has
one. `productId` is the path: enrich keeps it only where the catalogue has such a product. A request without a path or
with one too long for an id is a visit without a product. By default only pages count: GET requests with a status below
400 for something that is no asset.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from services.traffic.formats.entries import Skip, SkipReason
from services.traffic.formats.logs.assets import is_asset
from services.traffic.formats.logs.clients import client_address, client_name, is_private_address
from services.traffic.formats.visitors import visitor_of
from shared.events.limits import Limits, fits
from shared.events.refusals import Reason, Refusal

_PRODUCT_BYTES: Final = Limits().id_bytes
_FIRST_FAILURE: Final = 400
_METHOD: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_HOST: Final = re.compile(
    r"(?P<name>(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_-]*\.?)(?::(?P<port>[0-9]{1,5}))?"
    r"|(?P<other>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?P<its_port>[0-9]{1,5})"
)
_SCHEMES: Final = {"80": "http", "8080": "http", "443": "https", "8443": "https"}
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
# How Apache and nginx write what is no printable ASCII.
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}

_encode = msgspec.json.Encoder().encode


class Request(NamedTuple):
    """A request as a log has it. Text that the log lacks is None or `-`."""

    client: str
    timestamp_ms: int
    method: str | None
    target: str | None
    status: int | None
    user_agent: str | None = None
    referrer: str | None = None
    origin: str = ""
    """As `origin_of` returns it."""
    forwarded: str | None = None
    """`X-Forwarded-For`: names the client where `client` is a proxy in a private network."""


def click_of(request: Request, *, takes_all: bool) -> bytes | Refusal | Skip:
    """The `click-data` document of a request. With `takes_all` it is never skipped."""
    target = _present(request.target)
    if target is not None and target.startswith("//"):
        target = "/" + target.lstrip("/")  # else its first folder would be a host
    path = _path(target) if target else None
    if not takes_all and (skip := _skip(request, target, path)):
        return skip
    address = client_address(request.client)
    if request.forwarded and (address is None or is_private_address(address)):
        address = client_address(request.forwarded) or address
    client = address or client_name(request.client)
    if client is None:
        return Refusal(Reason.MISSING_FIELD, f"expected the client's address, got {request.client!r:.80}")
    user_agent = _present(request.user_agent)
    event: dict[str, object] = {"timestamp": request.timestamp_ms, "userId": visitor_of(client, user_agent)}
    if address is not None:
        event["ip"] = address
    if user_agent is not None:
        event["userAgent"] = user_agent
    if target is not None:
        event["url"] = request.origin + target if target.startswith("/") else target
    if path and fits(path, _PRODUCT_BYTES):
        event["productId"] = path
    if (referrer := _present(request.referrer)) is not None:
        event["referrer"] = referrer
    return _encode(event)


def _skip(request: Request, target: str | None, path: str | None) -> Skip | None:
    if request.method != "GET" or target is None:
        return Skip(SkipReason.NOT_GET, f"{request.method or '-'} {target or '-'}")
    if request.status is None or request.status >= _FIRST_FAILURE:
        return Skip(SkipReason.FAILED, f"{request.status or '-'} {target}")
    if path is not None and is_asset(path):
        return Skip(SkipReason.ASSET, target)
    return None


def split_request(line: str) -> tuple[str | None, str | None]:
    """Method and target of a request line: `GET` and `/a?b` of `GET /a?b HTTP/1.1`; None when it is not HTTP."""
    method, _, rest = line.partition(" ")
    if not _METHOD.fullmatch(method):
        return None, None
    target, protocol, _ = rest.rpartition(" HTTP/")
    return method, (target if protocol else rest).strip()


def status_of(text: str) -> int | None:
    """The status, from 100; None for `-` or 0, which say that the client went away."""
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() and text >= "100" else None


@lru_cache(maxsize=4096)
def origin_of(host: str, scheme: str | None = None) -> str:
    """`https://shop.example` for the host of a virtual host, with or without a port; empty for text that is none.

    Without a scheme and a port that tells it, it is HTTPS. A name without a dot needs a port.

    >>> origin_of("shop.example:443"), origin_of("shop.example:80"), origin_of("localhost:5000"), origin_of("_")
    ('https://shop.example', 'http://shop.example', 'http://localhost:5000', '')
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    name, port = (found["name"] or found["other"]).lower(), found["port"] or found["its_port"]
    if scheme not in _DEFAULT_PORTS:
        scheme = _SCHEMES.get(port, "http") if port else "https"
    return f"{scheme}://{name}" + (f":{port}" if port and port != _DEFAULT_PORTS[scheme] else "")


def unescaped(field: str | None) -> str | None:
    r"""The field as the client sent it: servers write `"`, `\` and unprintable bytes as `\"`, `\\` and `\xhh`."""
    if field is None or "\\" not in field:
        return field
    return _ESCAPE.sub(_unescape, field.encode()).decode("utf-8", "replace")


def _unescape(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        return bytes.fromhex(escape[1].decode())
    return _CONTROLS.get(escape[2], escape[2])


def _present(field: str | None) -> str | None:
    return field if field and field != "-" else None


def _path(url: str) -> str | None:
    """The path of a request target: `/a` of `/a?b`, and of `http://host/a` as sent to a proxy; else None."""
    origin = _ORIGIN.match(url)
    rest = url[origin.end() :] if origin else url
    path = rest.split("?", 1)[0].split("#", 1)[0]
    if origin and not path:
        return "/"
    return path if path.startswith("/") else None
