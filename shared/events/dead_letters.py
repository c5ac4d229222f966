"""The record that keeps a refused one in the dead letter topic: its bytes, or a prefix where they are too many. Pure.

The log may refuse a dead letter too. So a long one is cut to well below what topics take by default, and one that is
refused all the same is cut to what every topic takes.
"""

import hashlib
from typing import Final, NamedTuple

from shared.events.refusals import Origin, Refusal, dead_letter_headers, dead_letter_topic

WHOLE_BYTES: Final = 512 * 1024
"""A dead letter with more bytes in its key and value is cut. Kafka's topics take 1 MB by default."""

PREFIX_BYTES: Final = 64 * 1024
"""What a cut one keeps of its value."""

KEY_BYTES: Final = 1024
"""What a cut one keeps of its key."""

LEAST_BYTES: Final = 256
"""What is kept of the value, the key and the error each when the log refused the dead letter."""

_MOST_DIGITS: Final = 19


class NewDeadLetter(NamedTuple):
    """A record for a dead letter topic, in the order of the fields of a new record."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def dead_letter(source: str, key: bytes | None, value: bytes, refusal: Refusal, origin: Origin) -> NewDeadLetter:
    """The dead letter of a refused record of the topic `source`. A cut one has the headers `bytes` and `sha256`."""
    letter = NewDeadLetter(dead_letter_topic(source), key, value, dead_letter_headers(refusal, origin))
    if len(value) + len(key or b"") <= WHOLE_BYTES:
        return letter
    return _cut(letter, value_bytes=PREFIX_BYTES, key_bytes=KEY_BYTES)


def smallest(letter: NewDeadLetter) -> NewDeadLetter:
    """The same dead letter as small as can be, and with a key, which a compacted topic requires."""
    headers = tuple((name, value[:LEAST_BYTES]) for name, value in letter.headers)
    key = letter.key if letter.key is not None else letter.topic.encode()
    return _cut(letter._replace(key=key, headers=headers), value_bytes=LEAST_BYTES, key_bytes=LEAST_BYTES)


def original_size(headers: tuple[tuple[str, bytes], ...]) -> tuple[int, str] | None:
    """The size in bytes and the SHA-256 of the value that a dead letter was cut from; None when it is whole."""
    found = dict(headers)
    size = found.get("bytes", b"")
    if not size.isdigit() or len(size) > _MOST_DIGITS:
        return None
    return int(size), found.get("sha256", b"").decode("ascii", "replace")


def _cut(letter: NewDeadLetter, *, value_bytes: int, key_bytes: int) -> NewDeadLetter:
    headers = letter.headers
    if "bytes" not in dict(headers):  # not cut before
        digest = hashlib.sha256(letter.value).hexdigest()
        headers += (("bytes", b"%d" % len(letter.value)), ("sha256", digest.encode()))
    key = letter.key if letter.key is None else letter.key[:key_bytes]
    return NewDeadLetter(letter.topic, key, letter.value[:value_bytes], headers)
