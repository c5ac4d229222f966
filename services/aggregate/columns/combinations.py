"""The fields of events as columns of codes.

Most events share their fields with many others: a product and its page, a country with a device. A whole combination is
looked up at once, and only one that is new is taken apart.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, grown
from services.aggregate.columns.batch import DEVICE_CODES, NONE, OTHER_DEVICE, Product
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.pages import page_of
from shared.events.schema import DEFAULT_EVENT_TYPE, GENDERS, UNKNOWN

_MOST_COMBINATIONS: Final = 100_000
_MOST_CHARACTERS: Final = 16_000_000  # of all combinations: an event may be long
_GENDER_CODES: Final = {gender: code for code, gender in enumerate(GENDERS)}
_UNKNOWN_GENDER: Final = _GENDER_CODES["U"]


class Combinations(dict[tuple[Any, ...], int]):
    """The place of each combination of some fields; looking up one that is new gives it a place."""

    def __init__(
        self, fields: Sequence[str], columns: Sequence[str], codes_of: Callable[[Any], tuple[int, ...]]
    ) -> None:
        """`columns` are those that `codes_of` gives the codes for, from the values of `fields`."""
        super().__init__()
        self.fields_of = attrgetter(*fields)
        self._columns = columns
        self._codes_of = codes_of
        self._codes: Array = np.zeros((len(columns), 0), np.int32)
        self._characters = 0

    def __missing__(self, combination: tuple[Any, ...]) -> int:
        self._characters += sum(len(field) for field in combination if isinstance(field, str))
        place = self[combination] = len(self)
        self._codes = grown(self._codes, place + 1)
        self._codes[:, place] = self._codes_of(combination)
        return place

    def fill(self, rows: Array, places: Array) -> None:
        """Set the columns of rows whose combinations have these places."""
        for column, codes in zip(self._columns, self._codes, strict=True):
            rows[column] = codes[places]

    def bound(self) -> None:
        """Begin anew when there are too many. Names keep their codes; places that were given are void."""
        if len(self) > _MOST_COMBINATIONS or self._characters > _MOST_CHARACTERS:
            self.clear()
            self._characters = 0


class Columns:
    """The combinations of fields that events of a partition have, with the codes of its names."""

    def __init__(self, names: Dictionaries) -> None:
        self._names = names
        self.shown = Combinations(("productId", "category", "title", "url"), ("product", "page"), self._shown_codes)
        self.visitor = Combinations(
            ("country", "eventType", "deviceType", "gender"),
            ("country", "event_type", "device", "gender"),
            self._visitor_codes,
        )

    def _shown_codes(self, fields: tuple[Any, ...]) -> tuple[int, ...]:
        product_id, category, title, url = fields
        page = page_of(url) if isinstance(url, str) else None
        return (
            NONE
            if product_id is None
            else self._names.products.codes[Product(product_id, category or UNKNOWN, title or UNKNOWN)],
            NONE if page is None else self._names.pages.codes[page],
        )

    def _visitor_codes(self, fields: tuple[Any, ...]) -> tuple[int, ...]:
        country, event_type, device, gender = fields
        return (
            self._names.countries.codes[country],
            self._names.event_types.codes[event_type or DEFAULT_EVENT_TYPE],
            DEVICE_CODES.get(device, OTHER_DEVICE),
            _GENDER_CODES.get(gender, _UNKNOWN_GENDER),
        )
