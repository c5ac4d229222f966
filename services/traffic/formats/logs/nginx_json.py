"""An access log in JSON, as `log_format … escape=json` of nginx writes it. Pure.

    {"time_iso8601":"2026-10-10T13:55:36+02:00","remote_addr":"192.0.2.1","request":"GET /shoes HTTP/1.1", …}

Sites choose the names: nginx's own variables, and the common ones of other servers and of Cloudflare.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.traffic.formats.logs.json_fields import text_of, time_ms_of
from services.traffic.formats.logs.requests import Request, origin_of, split_request, status_of
from shared.events.refusals import Refusal

# In lower case, without what separates words.
_CLIENT: Final = (
    *("remoteaddr", "remoteaddress", "clientip", "clientaddr", "clientaddress", "remoteip", "sourceip", "srcip"),
    *("downstreamremoteaddress", "remotehost", "client", "ip"),
)
_FORWARDED: Final = ("httpxforwardedfor", "xforwardedfor", "xff", "forwardedfor")
_TIME: Final = (
    *(
        "timeiso8601",
        "msec",
        "timelocal",
        "timestamp",
        "starttime",
        "edgestarttimestamp",
        "requesttimestamp",
        "datetime",
        "time",
        "ts",
    ),
    "date",
)
_REQUEST: Final = ("request", "requestline")
_METHOD: Final = ("requestmethod", "clientrequestmethod", "method", "httpmethod", "verb")
_TARGET: Final = ("requesturi", "clientrequesturi", "uri", "url", "path", "requesturl", "requestpath", "documenturi")
_QUERY: Final = ("args", "querystring", "query")
_STATUS: Final = (
    "status",
    "edgeresponsestatus",
    "statuscode",
    "response",
    "responsecode",
    "responsestatus",
    "httpstatus",
    "code",
)
_AGENT: Final = ("httpuseragent", "clientrequestuseragent", "useragent", "agent", "httpagent")
_REFERRER: Final = ("httpreferer", "clientrequestreferer", "httpreferrer", "referer", "referrer")
_HOST: Final = ("httphost", "clientrequesthost", "vhost", "virtualhost", "host", "authority", "servername", "domain")
_SEPARATORS: Final = str.maketrans("", "", "_-.@ ")


def parse_nginx_json(found: Mapping[str, Any]) -> Request | Refusal | None:
    """The request; None for an object without a client, a request or a status, or that is a click."""
    fields = {name.translate(_SEPARATORS).lower(): value for name, value in found.items()}
    client, status = text_of(fields, *_CLIENT, *_FORWARDED), text_of(fields, *_STATUS)
    line, method = text_of(fields, *_REQUEST), text_of(fields, *_METHOD)
    has_request = any(name in fields for name in (*_REQUEST, *_METHOD))  # empty, if the client sent nothing
    if client is None or status is None or not has_request or "userId" in found:
        return None
    target = text_of(fields, *_TARGET)
    if line is not None and line.startswith("/"):  # as in the JSON that Apache's users write: `%U`
        target = target or line
    elif line is not None and (method is None or target is None):
        method, target = split_request(line)
    query = text_of(fields, *_QUERY)
    if target and query and "?" not in target:
        target = f"{target}?{query.removeprefix('?')}"
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
