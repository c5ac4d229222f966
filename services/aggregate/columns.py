"""The fields of events as columns of codes.

Most events share their fields with many others: a product and its page, a country with a device and an age. A whole
combination is looked up at once, and only one that is new is taken apart.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import numpy as np

from services.aggregate.arrays import Array, grown
from services.aggregate.batch import DEVICE_CODES, NONE, OTHER_DEVICE, Product
from services.aggregate.dictionaries import Dictionaries
from services.aggregate.pages import page_of
from shared.events import DEFAULT_EVENT_TYPE, GENDERS, UNKNOWN, EnrichedEvent

_MOST_COMBINATIONS: Final = 100_000
_MOST_CHARACTERS: Final = 16_000_000  # of all combinations: an event may be long
_LONGEST_AGE: Final = int(np.iinfo(np.int16).max)
_GENDER_CODES: Final = {gender: code for code, gender in enumerate(GENDERS)}
_UNKNOWN_GENDER: Final = _GENDER_CODES["U"]


class _Combinations(dict[tuple[Any, ...], int]):
    """The place of each combination of some fields in `codes`, a column a combination."""

    def __init__(self, columns: Sequence[str], codes_of: Callable[[Any], tuple[int, ...]]) -> None:
        super().__init__()
        self.columns = columns
        self._codes_of = codes_of
        self.codes: Array = np.zeros((len(columns), 0), np.int32)
        self._characters = 0

    def bound(self) -> None:
        """Begin anew when there are too many: the names keep their codes."""
        if len(self) > _MOST_COMBINATIONS or self._characters > _MOST_CHARACTERS:
            self.clear()
            self._characters = 0

    def __missing__(self, combination: tuple[Any, ...]) -> int:
        self._characters += sum(len(field) for field in combination if isinstance(field, str))
        place = self[combination] = len(self)
        self.codes = grown(self.codes, place + 1)
        self.codes[:, place] = self._codes_of(combination)
        return place


class Columns:
    """Fills the columns of rows that hold codes, and gives new names theirs in `names`."""

    def __init__(self, names: Dictionaries) -> None:
        self._names = names
        self._shown = _Combinations(("product", "page"), self._shown_codes)
        self._visitor = _Combinations(("country", "event_type", "device", "gender", "age"), self._visitor_codes)

    def fill(self, rows: Array, events: Sequence[EnrichedEvent]) -> None:
        """Set the columns of `rows` that come from the fields of `events`, but for the time and the visitor."""
        for combinations, fields in ((self._shown, _SHOWN_FIELDS), (self._visitor, _VISITOR_FIELDS)):
            combinations.bound()
            places = np.array([combinations[combination] for combination in map(fields, events)], np.int64)
            for column, codes in zip(combinations.columns, combinations.codes, strict=True):
                rows[column] = codes[places]

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
        country, event_type, device, gender, age = fields
        return (
            self._names.countries.codes[country],
            self._names.event_types.codes[event_type or DEFAULT_EVENT_TYPE],
            DEVICE_CODES.get(device, OTHER_DEVICE),
            _GENDER_CODES.get(gender, _UNKNOWN_GENDER),
            NONE if age is None else min(max(age, 0), _LONGEST_AGE),
        )


_SHOWN_FIELDS: Final = attrgetter("productId", "category", "title", "url")
_VISITOR_FIELDS: Final = attrgetter("country", "eventType", "deviceType", "gender", "age")
