"""The access log of Traefik in JSON. Its other format is the combined log. Pure.

{"ClientHost":"192.0.2.1","RequestMethod":"GET","RequestPath":"/shoes","DownstreamStatus":200,"StartUTC":"…", …}
"""

from collections.abc import Mapping
from typing import Any

from services.traffic.formats.logs.json_fields import text_of, time_ms_of
from services.traffic.formats.logs.requests import Request, origin_of, status_of
from shared.events.refusals import Refusal


def parse_traefik(fields: Mapping[str, Any]) -> Request | Refusal | None:
    """The request; None for an object of another kind."""
    if "RequestPath" not in fields or "RequestMethod" not in fields:
        return None
    timestamp_ms = time_ms_of(fields, "StartUTC", "StartLocal", "time")
    if isinstance(timestamp_ms, Refusal):
        return timestamp_ms
    return Request(
        client=text_of(fields, "ClientHost", "ClientAddr") or "-",
        timestamp_ms=timestamp_ms,
        method=text_of(fields, "RequestMethod"),
        target=text_of(fields, "RequestPath"),
        status=status_of(text_of(fields, "DownstreamStatus", "OriginStatus") or ""),
        user_agent=text_of(fields, "request_User-Agent"),
        referrer=text_of(fields, "request_Referer"),
        origin=origin_of(text_of(fields, "RequestAddr", "RequestHost") or "", text_of(fields, "RequestScheme")),
        forwarded=text_of(fields, "request_X-Forwarded-For"),
    )
