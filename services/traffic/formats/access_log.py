r"""The combined access log of Apache and nginx (and the common one, which ends after the size).

    192.0.2.1 - frank [10/Oct/2026:13:55:36 +0200] "GET /shoes?size=41 HTTP/1.1" 200 2326 "https://…" "Mozilla/5.0 …"

Each line is an event, whatever its status: `userId` is a hash of address and user agent, `url` is the request target
and `productId` its path. A request without a path (`-` when the client sent none, or port-scan garbage) or with one too
long for an id is a visit without a product. Servers write `"`, `\` and unprintable bytes as `\"`, `\\` and `\xhh`.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

import msgspec

from services.traffic.formats.entries import Entry, read_line_by_line
from services.traffic.formats.lines import Line
from shared.events.limits import Limits, fits
from shared.events.refusals import Reason, Refusal

# Possessive quantifiers, so that a hostile line costs only linear time.
_PRODUCT_BYTES: Final = Limits().id_bytes
_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_LOG_LINE: Final = re.compile(
    rf"(?P<ip>\S++) \S++ .*?\[(?P<time>[^\]\s]{{1,30}} [^\]\s]{{1,10}})\] (?P<request>{_QUOTED}) [0-9-]++ [0-9-]++"
    rf"(?: (?P<referrer>{_QUOTED}) (?P<agent>{_QUOTED})| *$)"
)
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_MINUTE: Final = re.compile(r"([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})")
_SECOND: Final = re.compile(r":[0-5][0-9]")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_USER_ID_DIGITS: Final = 16

_encode = msgspec.json.Encoder().encode


def read_access_log(lines: Iterable[Line]) -> Iterator[Entry]:
    """The requests of an access log."""
    return read_line_by_line(lines, read_log_line)


def is_log_line(line: bytes) -> bool:
    """Whether this looks like an access log line."""
    return _LOG_LINE.match(line.decode("utf-8", "replace")) is not None


def read_log_line(line: bytes) -> bytes | Refusal:
    """The `click-data` document of one request."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return Refusal(Reason.NOT_UTF8, str(error))
    found = _LOG_LINE.match(text)
    if found is None:
        return Refusal(Reason.UNREADABLE_LINE, "not a line of a combined or common access log")
    ip, time, _, request, _, referrer, _, agent = found.groups()
    timestamp_ms = _parse_time_ms(time)
    if timestamp_ms is None:
        return Refusal(Reason.BAD_TIMESTAMP, f"expected a time such as [10/Oct/2026:13:55:36 +0200], got [{time}]")
    event: dict[str, object] = {"timestamp": timestamp_ms, "userId": _user_id(ip, agent or "-"), "ip": ip}
    user_agent = _unescaped(agent)
    if user_agent:
        event["userAgent"] = user_agent
    url = _unescaped(_target(request))
    if url:
        event["url"] = url
        path = _path(url)
        if path and fits(path, _PRODUCT_BYTES):
            event["productId"] = path
    came_from = _unescaped(referrer)
    if came_from:
        event["referrer"] = came_from
    return _encode(event)


def _parse_time_ms(time: str) -> int | None:
    """Epoch ms of `10/Oct/2026:13:55:36 +0200`."""
    minute_ms = _parse_minute_ms(time[:17], time[20:])
    if minute_ms is None or not _SECOND.fullmatch(time[17:20]):
        return None
    return minute_ms + int(time[18:20]) * 1000


@lru_cache(maxsize=4096)
def _parse_minute_ms(minute: str, zone: str) -> int | None:
    """Epoch ms of `10/Oct/2026:13:55` and ` +0200`. Cached, because the requests of one minute are adjacent."""
    found = _MINUTE.fullmatch(minute + zone)
    if found is None or found[2] not in _MONTHS:
        return None
    day, month, year, hour, minutes = int(found[1]), _MONTHS[found[2]], int(found[3]), int(found[4]), int(found[5])
    east = timedelta(hours=int(found[7]), minutes=int(found[8])) * (-1 if found[6] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minutes, tzinfo=timezone(east))
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * 1000


@lru_cache(maxsize=4096)
def _user_id(ip: str, agent: str) -> str:
    return hashlib.md5(f"{ip}|{agent}".encode(), usedforsecurity=False).hexdigest()[:_USER_ID_DIGITS]


def _target(request: str) -> str | None:
    """The request target: `/a?b` of `GET /a?b HTTP/1.1`; None when the request is not HTTP."""
    method, _, rest = request.partition(" ")
    if not method.isascii() or not method.isalpha():
        return None
    target, protocol, _ = rest.rpartition(" HTTP/")
    return (target if protocol else rest).strip()


def _path(url: str) -> str | None:
    """The path of a request target: `/a` of `/a?b`, and of `http://host/a` as sent to a proxy; else None."""
    origin = _ORIGIN.match(url)
    rest = url[origin.end() :] if origin else url
    path = rest.split("?", 1)[0].split("#", 1)[0]
    if origin and not path:
        return "/"
    return path if path.startswith("/") else None


def _unescaped(field: str | None) -> str | None:
    """The field as the client sent it; None when the log has `-` or nothing."""
    if field is None or field in ("", "-"):
        return None
    if "\\" not in field:
        return field
    return _ESCAPE.sub(_unescape, field.encode()).decode("utf-8", "replace")


def _unescape(escape: re.Match[bytes]) -> bytes:
    if escape[1] is not None:
        return bytes.fromhex(escape[1].decode())
    return _CONTROLS.get(escape[2], escape[2])
