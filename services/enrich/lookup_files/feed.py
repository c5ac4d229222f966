"""The items of a product feed in XML, as Google Merchant Center reads it: RSS or Atom."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from services.enrich.lookup_files.fields import Row

_ITEMS: Final = ("item", "entry")
_CHUNK_BYTES: Final = 64 * 1024
_LONGEST_TEXT: Final = 64 * 1024  # characters of a field; the rest of a longer one is dropped


class UnreadableFeed(Exception):  # noqa: N818 - a property of the file
    """The document is not XML, or declares a document type; the message says which."""


def read_feed(stream: BinaryIO | Any) -> Iterator[Row]:
    """Yield each item with its fields by name, such as `id` or `product_type`; of a repeated one the first.

    Raises UnreadableFeed.
    """
    items = _Items()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = items.start
    parser.EndElementHandler = items.end
    parser.CharacterDataHandler = items.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    number = 0
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            parser.Parse(chunk, False)
            for fields in items.taken():
                number += 1
                yield Row(number, fields)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableFeed(f"not XML: {error}") from None


def _refuse_doctype(*_: object) -> None:
    # Its entities could expand to any size. Feeds have none.
    raise UnreadableFeed("a document type declaration, which no product feed needs")


class _Items:
    """Collects the fields of the items while the parser goes through the document."""

    def __init__(self) -> None:
        self._complete: list[dict[str, object]] = []
        self._fields: dict[str, object] | None = None
        self._depth = 0  # within an item
        self._name = ""
        self._text: list[str] = []
        self._characters = 0

    def start(self, name: str, _: object) -> None:
        name = name.rpartition(" ")[2]
        if self._fields is None:
            if name in _ITEMS:
                self._fields, self._depth = {}, 0
            return
        self._depth += 1
        if self._depth == 1:
            self._name, self._text, self._characters = name, [], 0

    def end(self, _: str) -> None:
        if self._fields is None:
            return
        if self._depth == 0:
            self._complete.append(self._fields)
            self._fields = None
            return
        if self._depth == 1:
            self._fields.setdefault(self._name, "".join(self._text).strip())
        self._depth -= 1

    def text(self, text: str) -> None:
        if self._fields is not None and self._depth == 1 and self._characters < _LONGEST_TEXT:
            self._characters += len(text)
            self._text.append(text)

    def taken(self) -> list[dict[str, object]]:
        complete, self._complete = self._complete, []
        return complete
