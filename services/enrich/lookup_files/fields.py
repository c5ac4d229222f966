"""Converts the fields of a product or a visitor to the hash for Redis, or to a refusal. Pure."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.enrich.lookups.catalogue import (
    birth_date_of,
    gender_of,
    product_hash,
    product_key,
    visitor_hash,
    visitor_key,
)
from shared.events.limits import Limits, fits, shortened

Fields = Mapping[str, object]


class Row(NamedTuple):
    """A row, or why it is unreadable. `number` is its line, or its position in a JSON array or a feed, from 1."""

    number: int
    fields: Fields | str


class Lookup(NamedTuple):
    """The hash to store under an id."""

    lookup_id: str
    stored: Mapping[str, str]


class RefusedRow(NamedTuple):
    """Why a row is refused, the offending text, and the row's id if it has one."""

    reason: str
    detail: str = ""
    lookup_id: str | None = None


class Kind(NamedTuple):
    """A kind of lookup: the names of its fields, the id first, what to store, and under which key.

    What is stored has a value for each field after the id, in their order.
    """

    name: str
    fields: tuple[str, ...]
    stored: Callable[[Fields, Limits], Mapping[str, str]]
    key: Callable[[str, str], str]

    def read(self, fields: Fields, limits: Limits) -> Lookup | RefusedRow:
        """The lookup in the fields of a row."""
        lookup_id = None
        try:
            lookup_id = self._id_of(fields, limits)
            return Lookup(lookup_id, self.stored(fields, limits))
        except _Unusable as unusable:
            return RefusedRow(unusable.reason, unusable.detail, lookup_id)

    def _id_of(self, fields: Fields, limits: Limits) -> str:
        lookup_id = _text(fields, self.fields[0])
        if not lookup_id:
            raise _Unusable(f"no {self.fields[0]}")
        if not fits(lookup_id, limits.id_bytes):
            raise _Unusable(f"{self.fields[0]} longer than {limits.id_bytes} bytes")
        return lookup_id


class _Unusable(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def _stored_product(fields: Fields, limits: Limits) -> Mapping[str, str]:
    category, title = _text(fields, "category"), _text(fields, "title")
    if not category and not title:
        raise _Unusable("neither category nor title")
    return product_hash(shortened(category, limits.title_bytes), shortened(title, limits.title_bytes))


def _stored_visitor(fields: Fields, _: Limits) -> Mapping[str, str]:
    gender, birthday = _text(fields, "gender"), _text(fields, "birthDate")
    if not gender and not birthday:
        raise _Unusable("neither gender nor birthDate")
    letter = gender_of(gender)
    if gender and letter is None:
        raise _Unusable("gender is not M, F or U", repr(gender[:80]))
    born = birth_date_of(birthday)
    if birthday and born is None:
        raise _Unusable("birthDate is not a date YYYY-MM-DD", repr(birthday[:80]))
    return visitor_hash(letter or "", born.isoformat() if born is not None else "")


PRODUCTS: Final = Kind("products", ("productId", "category", "title"), _stored_product, product_key)
VISITORS: Final = Kind("visitors", ("userId", "gender", "birthDate"), _stored_visitor, visitor_key)


def _text(fields: Fields, name: str) -> str:
    """The field as text; empty if it is absent. A whole number is written without a fraction, as in a click's id."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unusable(f"{name} has the wrong type")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _Unusable(f"{name} is not UTF-8")
    return text
