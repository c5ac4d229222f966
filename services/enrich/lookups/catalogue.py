"""The lookups: what Redis holds about a product and a visitor, and the hashes that hold it. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec

from shared.events.limits import shortened
from shared.events.schema import UNKNOWN


class ProductFacts(msgspec.Struct, gc=False):
    """What the catalogue says of a product."""

    category: str | None
    title: str | None
    members: bytes = b""
    """The fast path's memo: the other fields as members of a JSON object. The one attribute that changes."""


class Appendix(msgspec.Struct, frozen=True, gc=False):
    """What the fast path last appended to a visitor's click, and the click's inputs: most next clicks share them."""

    since_ms: int = 0  # the clicks' times, from the one to just before the other: the visitor's age is the same
    until_ms: int = 0
    country_by_ip: object = None  # the mapping that answered
    ip: str | None = None
    user_agent: str | None = None
    written_ip: str | None = None  # truncated where the site truncates addresses
    members: bytes = b""
    key: bytes = b""  # of the visitor's records


class VisitorFacts(msgspec.Struct, gc=False):
    """What Redis says of a visitor. Each has an object of their own, even if Redis lacks them, for the memo in it.

    `birth_number` is the birth date as the decimal number YYYYMMDD.
    """

    gender: str = "U"
    birthdate: str | None = None
    birth_number: int | None = None
    appendix: Appendix = Appendix()
    """The fast path's memo. The one attribute that changes."""


NO_PRODUCT: Final = ProductFacts(None, None)
"""For a page without a product."""

UNKNOWN_PRODUCT: Final = ProductFacts(UNKNOWN, UNKNOWN)
UNKNOWN_VISITOR: Final = VisitorFacts()

PRODUCT_FIELDS: Final = ("cat", "title")
VISITOR_FIELDS: Final = ("gender", "birthday")

_LONGEST_DATE: Final = 64
_GENDER_OF_LETTER: Final = {"M": "M", "m": "M", "F": "F", "f": "F", "U": "U", "u": "U"}


def product_key(prefix: str, product_id: str) -> str:
    """The hash of a product: `cat`, `title`."""
    return f"{prefix}product:{product_id}"


def visitor_key(prefix: str, name: str) -> str:
    """The hash of a visitor: `gender`, `birthday`. The name is the `userId`, or what `LookupNames` makes of it."""
    return f"{prefix}visitor:{name}"


def gender_of(text: str | None) -> str | None:
    """M, F or U by the first letter of the text; None for any other letter."""
    return _GENDER_OF_LETTER.get(text[:1]) if text else None


def product_of(category: bytes | None, title: bytes | None, longest_bytes: int) -> ProductFacts | None:
    """The product with these values of PRODUCT_FIELDS, shortened; None when the catalogue lacks it."""
    if category is None and title is None:
        return None
    return ProductFacts(
        shortened(_text(category), longest_bytes) or UNKNOWN, shortened(_text(title), longest_bytes) or UNKNOWN
    )


def visitor_of(gender: bytes | None, birthday: bytes | None) -> VisitorFacts | None:
    """The visitor with these values of VISITOR_FIELDS; None when both are absent. Drops an invalid birth date."""
    if gender is None and birthday is None:
        return None
    born = birth_date_of(_text(birthday))
    if born is None:
        return VisitorFacts(gender_of(_text(gender)) or "U")
    return VisitorFacts(gender_of(_text(gender)) or "U", born.isoformat(), number_of(born))


def birth_date_of(text: str) -> date | None:
    """The date of `YYYY-MM-DD`, with or without a time of day after it; None for other text."""
    day, _, _ = text[:_LONGEST_DATE].strip().replace("T", " ", 1).partition(" ")
    if len(day) != len("YYYY-MM-DD"):
        return None
    try:
        return date.fromisoformat(day)
    except ValueError:
        return None


def number_of(day: date) -> int:
    """The day as the decimal number YYYYMMDD; years between two days are their difference // 10,000."""
    return day.year * 10_000 + day.month * 100 + day.day


def product_hash(category: str, title: str) -> Mapping[str, str]:
    """The hash to store for a product."""
    return dict(zip(PRODUCT_FIELDS, (category, title), strict=True))


def visitor_hash(gender: str, birthday: str) -> Mapping[str, str]:
    """The hash to store for a visitor; empty text means unknown."""
    return dict(zip(VISITOR_FIELDS, (gender, birthday), strict=True))


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value is not None else ""
