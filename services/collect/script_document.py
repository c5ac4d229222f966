"""The script as an HTTP document. Pure."""

from typing import Final

from services.collect.request import Answer, Request
from services.collect.script.content import CONTENT, CONTENT_TYPE, ETAG, GZIPPED

_HEADERS: Final = (
    (b"etag", ETAG.encode()),
    (b"cache-control", b"public, max-age=3600, stale-while-revalidate=86400"),
    (b"vary", b"accept-encoding"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)


def script_document(request: Request) -> Answer:
    """The script, gzipped where the client takes it; 304 when it has it already."""
    if ETAG in request.headers.get("if-none-match", ""):
        return Answer(304, b"", CONTENT_TYPE, _HEADERS)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Answer(200, GZIPPED, CONTENT_TYPE, (*_HEADERS, (b"content-encoding", b"gzip")))
    return Answer(200, CONTENT, CONTENT_TYPE, _HEADERS)
