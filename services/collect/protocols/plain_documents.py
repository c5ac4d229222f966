"""What trackers fetch besides sending events. Pure."""

import re
from typing import Final

import msgspec

from services.collect.request import Answer, Request

_SETTINGS: Final = re.compile(r"/v1/projects/([A-Za-z0-9_-]{1,256})/settings")
_REDIRECT: Final = "/r/tp2"
_NO_REDIRECT: Final = Answer(
    403,
    b'{"error":"no_redirects","message":"this collector redirects nowhere: link to the page itself"}',
    headers=((b"cache-control", b"no-store"),),
)
_encode: Final = msgspec.json.Encoder().encode


def is_document(path: str) -> bool:
    """Whether `document` answers the path."""
    return path == _REDIRECT or _SETTINGS.fullmatch(path) is not None


def document(request: Request) -> Answer:
    """Segment's settings for SDKs that fetch them, which enable sending; and the refusal of Snowplow's redirects.

    The settings name no host, which the collector cannot know behind a proxy: the SDK's own setting has it. They are
    the same for every key, right or wrong. A redirect to any address would lend the site's name to who writes a link.
    """
    settings = _SETTINGS.fullmatch(request.path)
    if settings is None:
        return _NO_REDIRECT
    content = {"integrations": {"Segment.io": {"apiKey": settings[1]}}}
    return Answer(200, _encode(content), headers=((b"cache-control", b"public, max-age=3600"),))
