"""A log in a format that the user describes in the words of Apache's `LogFormat`. The package apachelogs parses it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from apachelogs import Error, InvalidEntryError, LogEntry, LogParser

from services.traffic.formats.entries import UnusableRecording
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of
from shared.events.refusals import Refusal

_DIRECTIVE: Final = re.compile(r"%[^%A-Za-z{]*(?:\{[^}]*\})?\^?([A-Za-z])")
_CLIENTS: Final = "ha"
_REQUESTS: Final = "rU"
_STATUSES: Final = "s"
_TIMES: Final = "t"
_NO_STATUS: Final = 200
_FORWARDED: Final = "X-Forwarded-For"


def apache_parser(log_format: str) -> Callable[[str], Request | Refusal | None]:
    """A parser of lines in this format. Raises UnusableRecording for a format that says too little or is none."""
    used = {found[1] for found in _DIRECTIVE.finditer(log_format)}
    has_client = bool(used & set(_CLIENTS)) or f"%{{{_FORWARDED}}}i".lower() in log_format.lower()
    if not (has_client and used & set(_TIMES) and used & set(_REQUESTS)):
        raise UnusableRecording(
            "--log-format: expected the client (%h, %a or %{X-Forwarded-For}i), the time (%t) and the request (%r, or"
            f" %m and %U) in Apache's words, such as '%v:%p %h %l %u %t \"%r\" %>s %O', got {log_format!r:.200}"
        )
    try:
        parser = LogParser(log_format, encoding="utf-8", errors="replace")
    except (Error, ValueError) as error:
        raise UnusableRecording(f"--log-format: {error}") from None

    def parse(line: str) -> Request | Refusal | None:
        try:
            entry = parser.parse(line)
        except (InvalidEntryError, ValueError):
            return None
        return _request(entry, has_status=bool(used & set(_STATUSES)))

    return parse


def _request(entry: LogEntry, *, has_status: bool) -> Request | None:
    def of(*names: str) -> object:
        return next((value for name in names if (value := getattr(entry, name, None)) is not None), None)

    moment = of("request_time")
    if not isinstance(moment, datetime):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    line = of("request_line")
    if line is not None:
        method, target = split_request(str(line))
    else:
        path, query = of("request_uri"), of("request_query")
        method = str(of("request_method") or "GET")
        target = f"{path}{query or ''}" if path is not None else None
    status = of("final_status", "status", "original_status")
    headers = getattr(entry, "headers_in", {})
    host, port = of("virtual_host", "server_name") or headers.get("Host"), of("server_port")
    return Request(
        client=str(of("remote_address", "remote_client_address", "remote_host") or headers.get(_FORWARDED) or "-"),
        timestamp_ms=int(moment.timestamp() * 1000),
        method=method,
        target=target,
        status=status_of(str(status)) if has_status else _NO_STATUS,
        user_agent=headers.get("User-Agent"),
        referrer=headers.get("Referer"),
        origin=origin_of(f"{host}:{port}" if port and ":" not in str(host) else str(host)) if host else "",
        forwarded=headers.get(_FORWARDED),
    )
