"""The access log of an AWS load balancer: application (with the type of the connection in front) or classic. Pure.

https 2026-10-10T11:55:36.186641Z app/shop/50dc6c495c0c9188 192.0.2.1:2817 10.0.0.1:80 0.086 0.048 0.037 200 200
0 57 "GET https://shop.example:443/shoes HTTP/1.1" "Mozilla/5.0 …" …                         (one line)
"""

import re
from typing import Final

from services.traffic.formats.logs.clients import client_address
from services.traffic.formats.logs.log_times import parse_log_time_ms
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of, unescaped
from shared.events.refusals import Reason, Refusal

_QUOTED: Final = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_LINE: Final = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z) +\S++ +(?P<client>\S++) +\S++ +(?:-?[0-9.]++ +){3}"
    rf"(?P<status>[0-9]{{3}}|-) +(?:[0-9]{{3}}|-) +[0-9-]++ +[0-9-]++ +(?P<request>{_QUOTED})"
    rf"(?: +(?P<agent>{_QUOTED}))?"
)
_WEB: Final = re.compile(r"(?P<scheme>https?|wss?)://(?P<host>[^/?#]+)(?P<rest>.*)")


def parse_alb(line: str) -> Request | Refusal | None:
    """The request; None for another line."""
    found = _LINE.search(line)
    if found is None:
        return None
    timestamp_ms = parse_log_time_ms(found["time"])
    if timestamp_ms is None:
        return Refusal(
            Reason.BAD_TIMESTAMP, f"expected a time such as 2026-10-10T11:55:36.186641Z, got {found['time']}"
        )
    method, target = split_request(found["request"][1:-1])
    origin = ""
    if target and (web := _WEB.fullmatch(target)):
        # Always with its port, which would make a second page of each.
        origin, target = origin_of(web["host"], web["scheme"].replace("ws", "http")), web["rest"] or "/"
    client, colon, _ = found["client"].rpartition(":")  # always with its port, also behind a bare IPv6 address
    return Request(
        client=client if colon and client_address(client) else found["client"],
        timestamp_ms=timestamp_ms,
        method=method,
        target=unescaped(target),
        status=status_of(found["status"]),
        user_agent=unescaped(found["agent"][1:-1]) if found["agent"] else None,
        origin=origin,
    )
