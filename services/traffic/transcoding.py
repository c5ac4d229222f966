"""Text in UTF-16 or UTF-32, which Windows programs write, as a stream of UTF-8."""

import codecs
import io
import re
from contextlib import AbstractContextManager, nullcontext
from typing import Final, cast

_BUFFER_BYTES: Final = 1 << 16
_LOOK_BYTES: Final = 8
# A mark of four bytes begins like one of two, so it is looked for first. Only a mark's own codec drops it.
_MARKED: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Without a mark: two characters below U+0100, as every header and log line begins with.
_UNMARKED: Final = {
    "utf-32-le": re.compile(rb"([^\0]\0\0\0){2}"),
    "utf-32-be": re.compile(rb"(\0\0\0[^\0]){2}"),
    "utf-16-le": re.compile(rb"([^\0]\0){4}"),
    "utf-16-be": re.compile(rb"(\0[^\0]){4}"),
}


def as_utf8(source: io.BufferedReader) -> AbstractContextManager[io.BufferedReader]:
    """The stream itself, or a UTF-8 stream of the same text when its first bytes are those of UTF-16 or UTF-32."""
    try:
        encoding = encoding_of(source.peek(_LOOK_BYTES)[:_LOOK_BYTES])
    except OSError:
        return nullcontext(source)  # damaged, which whoever reads it finds out again
    return nullcontext(source) if encoding is None else io.BufferedReader(_Transcoded(source, encoding), _BUFFER_BYTES)


def encoding_of(head: bytes) -> str | None:
    """The codec of the text that begins with these bytes; None for UTF-8 and whatever else has no NUL bytes."""
    for mark, encoding in _MARKED.items():
        if head.startswith(mark):
            return encoding
    return next((encoding for encoding, pattern in _UNMARKED.items() if pattern.match(head)), None)


class _Transcoded(io.RawIOBase):
    """A raw stream of UTF-8. What is no character, such as half a surrogate pair, becomes U+FFFD."""

    def __init__(self, source: io.BufferedReader, encoding: str) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        at_end = False
        while not self._ready and not at_end:
            piece = self._source.read1(_BUFFER_BYTES)
            at_end = not piece
            self._ready = self._decoder.decode(piece, final=at_end).encode()
        count = min(len(view), len(self._ready))
        view[:count], self._ready = self._ready[:count], self._ready[count:]
        return count
