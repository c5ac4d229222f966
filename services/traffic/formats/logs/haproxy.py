"""The HTTP log of HAProxy (`option httplog`), behind the prefix of syslog. Pure.

    haproxy[14389]: 192.0.2.1:33317 [10/Oct/2026:13:55:36.655] http-in shop/srv1 10/0/30/69/109 200 2750 - - ----
    1/1/1/1/0 0/0 {shop.example|Mozilla/5.0 …} {} "GET /shoes HTTP/1.1"                          (one line)

Its times have no zone and count as UTC. Captured headers have no names and are recognised by their look.
"""

import re
from typing import Final

from services.traffic.formats.logs.clients import client_address
from services.traffic.formats.logs.log_times import parse_log_time_ms
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of
from shared.events.refusals import Reason, Refusal

_LINE: Final = re.compile(
    r"(?<!\S)(?P<client>\S{1,64}):[0-9]{1,5} \[(?P<time>[^\]]{1,40})\] \S++ \S++ [0-9/+-]++"
    r" (?P<status>-?[0-9]{1,3}) \+?[0-9]++ \S++ \S++ \S{4} [0-9/+]++ [0-9/]++"
    r"(?: \{(?P<captured>[^}]*+)\})?(?: \{[^}]*+\})?"
    r' "(?P<request>[^"]*+)'  # without its end where HAProxy cut it
)
_AGENT: Final = re.compile(r"[A-Za-z][\w.+-]*/[0-9].*")
_REFERRER: Final = re.compile(r"https?://.+")
_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#]+)(?P<rest>.*)")


def parse_haproxy(line: str) -> Request | Refusal | None:
    """The request; None for another line, such as of `option tcplog`."""
    found = _LINE.search(line)
    if found is None:
        return None
    timestamp_ms = parse_log_time_ms(found["time"])
    if timestamp_ms is None:
        return Refusal(
            Reason.BAD_TIMESTAMP, f"expected a time such as [10/Oct/2026:13:55:36.655], got [{found['time']}]"
        )
    captured = (found["captured"] or "").split("|")
    origin = next((origin for text in captured if (origin := origin_of(text)) and not client_address(text)), "")
    method, target = split_request(found["request"])
    if target and (web := _ORIGIN.fullmatch(target)):  # as in HTTP/2
        origin, target = origin_of(web["host"], web["scheme"]), web["rest"] or "/"
    return Request(
        client=found["client"],
        timestamp_ms=timestamp_ms,
        method=method,
        target=target,
        status=status_of(found["status"]),
        user_agent=next((text for text in captured if _AGENT.fullmatch(text)), None),
        referrer=next((text for text in captured if _REFERRER.fullmatch(text)), None),
        origin=origin,
        forwarded=next((text for text in captured if client_address(text)), None),
    )
