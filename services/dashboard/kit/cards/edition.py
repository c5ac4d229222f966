"""A page as viewers get it: whole, or as what changed since the page that a viewer has. Pure.

Most of a page stays the same from second to second. Chunks that the browser has are named by their place; the browser
puts the page together again (`board.js`). One edition serves all viewers of the same page, and so does a message.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate
from typing import Final

import msgspec

_CHUNK_START: Final = re.compile(rb"""(?=<t[rd]|<div|<i |<span|\{|,\d+\.\d%|,\\?"\w+\\?":|,"[^"]{1,60}":\[\d)""")
"""A row or cell of a table, a figure, one of its properties, a part of the page, a point of a curve, or a country."""


class Edition:
    """A page of UTF-8 JSON. Thread-safe."""

    def __init__(self, page: bytes) -> None:
        self.digest: Final = blake2b(page, digest_size=8).hexdigest()
        self._chunks: Final = _CHUNK_START.split(page)
        self._messages: dict[str | None, bytes] = {}

    def since(self, before: "Edition | None") -> bytes:
        """The message for a browser that has the edition `before`.

        A line of JSON, `{"edition", "before", "parts"}`, then the bytes that are new. `parts` has three integers for
        each part of the page: how far it has moved, its length in `before`, and the number of new bytes after it. One
        that has not moved starts after the part before it and as many bytes as are new there: most often the new ones
        replace as many, so its number is 0, which takes least.
        """
        known = before.digest if before else None
        if known not in self._messages:
            parts, new = _changes(before._chunks if before else [], self._chunks)  # noqa: SLF001 - of this class
            head = {"edition": self.digest, "before": known, "parts": parts}
            self._messages[known] = msgspec.json.encode(head) + b"\n" + new
        return self._messages[known]


def _changes(before: list[bytes], after: Iterable[bytes]) -> tuple[list[int], bytes]:
    starts = [0, *accumulate(len(chunk) for chunk in before)]
    places = {chunk: place for place, chunk in reversed(list(enumerate(before)))}
    parts, new, expected, replaced = [0, 0, 0], [], 0, 0
    start = 0  # of the part
    for chunk in after:
        # Most often the next chunk is the one after the last, or after as many as are new here. Others have moved.
        near = (place for place in (expected, expected + replaced) if before[place : place + 1] == [chunk])
        place = next(near, places.get(chunk))
        if place is None:
            new.append(chunk)
            parts[-1] += len(chunk)
            replaced += 1
            continue
        if parts[-1] or place != expected:
            unmoved = start + parts[-2] + parts[-1]
            start = starts[place]
            parts += [start - unmoved, 0, 0]
        parts[-2] += len(chunk)
        expected, replaced = place + 1, 0
    return parts, b"".join(new)
