"""An access log in JSON, as `log_format … escape=json` of nginx writes it. Pure.

    {"time_iso8601":"2026-10-10T13:55:36+02:00","remote_addr":"192.0.2.1","request":"GET /shoes HTTP/1.1", …}

Sites choose the names: nginx's own variables, and the common ones of other servers.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.traffic.formats.logs.json_fields import text_of, time_ms_of
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of
from shared.events.refusals import Refusal

_CLIENT: Final = ("remote_addr", "client_ip", "clientip", "remote_ip", "remoteAddr", "remote_host", "client", "ip")
_FORWARDED: Final = ("http_x_forwarded_for", "x_forwarded_for", "x-forwarded-for", "xff", "forwarded_for")
_TIME: Final = ("time_iso8601", "msec", "time_local", "timestamp", "@timestamp", "time", "ts", "date")
_REQUEST: Final = ("request", "request_line")
_METHOD: Final = ("request_method", "method", "http_method", "requestMethod", "verb")
_TARGET: Final = ("request_uri", "uri", "url", "path", "requestUrl", "document_uri")
_QUERY: Final = ("args", "query_string", "query")
_STATUS: Final = ("status", "status_code", "response", "response_code", "response_status", "http_status", "code")
_AGENT: Final = ("http_user_agent", "user_agent", "userAgent", "useragent", "agent", "http_agent")
_REFERRER: Final = ("http_referer", "http_referrer", "referer", "referrer")
_HOST: Final = ("http_host", "vhost", "virtual_host", "host", "server_name", "domain")


def parse_nginx_json(fields: Mapping[str, Any]) -> Request | Refusal | None:
    """The request; None for an object without a client, a request or a status, or that is a click."""
    client, status = text_of(fields, *_CLIENT, *_FORWARDED), text_of(fields, *_STATUS)
    line, method = text_of(fields, *_REQUEST), text_of(fields, *_METHOD)
    if client is None or status is None or (line is None and method is None) or "userId" in fields:
        return None
    target = text_of(fields, *_TARGET)
    if line is not None and (method is None or target is None):
        method, target = split_request(line)
    query = text_of(fields, *_QUERY)
    if target and query and "?" not in target:
        target = f"{target}?{query}"
    timestamp_ms = time_ms_of(fields, *_TIME)
    if isinstance(timestamp_ms, Refusal):
        return timestamp_ms
    return Request(
        client=client,
        timestamp_ms=timestamp_ms,
        method=method,
        target=target,
        status=status_of(status),
        user_agent=text_of(fields, *_AGENT),
        referrer=text_of(fields, *_REFERRER),
        origin=origin_of(text_of(fields, *_HOST) or "", text_of(fields, "scheme")),
        forwarded=text_of(fields, *_FORWARDED),
    )
