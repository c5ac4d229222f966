"""What a browser does with the messages of an edition, as `board.js` does."""

import json
from typing import Any


def page_of(message: bytes, before: bytes = b"") -> bytes:
    """The page that a message makes of the page before."""
    head, _, new = message.partition(b"\n")
    parts, page, place, start = json.loads(head)["parts"], b"", 0, 0
    for moved, length, fresh in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        start += moved
        assert 0 <= start <= start + length <= len(before)
        page += before[start : start + length] + new[place : place + fresh]
        place += fresh
        start += length + fresh
    assert place == len(new)
    return page


def content_of(message: bytes) -> dict[str, Any]:
    """The content of a whole page."""
    assert json.loads(message.partition(b"\n")[0])["before"] is None
    content: dict[str, Any] = json.loads(page_of(message))
    return content
