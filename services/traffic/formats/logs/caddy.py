"""The access log of Caddy 2, which is JSON. Pure.

{"level":"info","ts":1646861401.52,"logger":"http.log.access","msg":"handled request","request":{"client_ip": …}, …}
"""

from collections.abc import Mapping
from typing import Any

from services.traffic.formats.logs.json_fields import text_of, time_ms_of
from services.traffic.formats.logs.requests import Request, origin_of, status_of
from shared.events.refusals import Refusal


def parse_caddy(fields: Mapping[str, Any]) -> Request | Refusal | None:
    """The request; None for an object of another kind, such as the other messages of Caddy."""
    request = fields.get("request")
    if not isinstance(request, dict) or "status" not in fields or "uri" not in request:
        return None
    client = text_of(request, "client_ip", "remote_ip", "remote_addr")
    headers = request.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    timestamp_ms = time_ms_of(fields, "ts", "time", "timestamp")
    if isinstance(timestamp_ms, Refusal):
        return timestamp_ms
    return Request(
        client=client or "-",
        timestamp_ms=timestamp_ms,
        method=text_of(request, "method"),
        target=text_of(request, "uri"),
        status=status_of(text_of(fields, "status") or ""),
        user_agent=text_of(headers, "User-Agent"),
        referrer=text_of(headers, "Referer"),
        origin=origin_of(text_of(request, "host") or "", "https" if request.get("tls") else "http"),
        forwarded=text_of(headers, "X-Forwarded-For"),
    )
