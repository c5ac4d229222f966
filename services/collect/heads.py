"""The headers of an answer. Pure."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from services.collect.request import Answer

_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
_MOST_KEPT: Final = 1024
_LONGEST_KEPT: Final = 256  # characters of an origin


def headers_of(answer: Answer, origin: str) -> list[tuple[bytes, bytes]]:
    """All headers, for a page of this origin; it is empty for a request without one."""
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        _NO_SNIFFING,
        *answer.headers,
    ]
    if origin:
        # No answer holds anything about a visitor, so every page may read it.
        headers += [
            (b"access-control-allow-origin", _CONTROL.sub(b"?", origin.encode("latin-1", "replace"))),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"origin"),
        ]
    return headers


def head_of(answer: Answer, origin: str) -> bytes:
    """The same as lines of HTTP. A site's answers are alike, so their lines are kept."""
    if answer.headers or len(origin) > _LONGEST_KEPT:
        return _lines(headers_of(answer, origin))
    return _kept_lines(len(answer.body), answer.content_type, origin)


@lru_cache(_MOST_KEPT)
def _kept_lines(body_bytes: int, content_type: str, origin: str) -> bytes:
    return _lines(headers_of(Answer(200, bytes(body_bytes), content_type), origin))


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%s: %s\r\n" % header for header in headers)
