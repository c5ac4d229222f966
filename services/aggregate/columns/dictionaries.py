"""The names that rows refer to by code, for each column that has them."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from services.aggregate.columns.batch import NewNames, Product
from services.aggregate.columns.names import Names

COLUMNS: Final = {"product": "products", "page": "pages", "country": "countries", "event_type": "event_types"}
"""The column of ROW whose codes each of the dictionaries explains."""


class Sizes(NamedTuple):
    """How many names each dictionary had."""

    products: int
    pages: int
    countries: int
    event_types: int


@dataclass(slots=True)
class Dictionaries:
    """The names of one partition."""

    products: Names[Product] = field(default_factory=lambda: Names[Product]())
    pages: Names[str] = field(default_factory=lambda: Names[str]())
    countries: Names[str] = field(default_factory=lambda: Names[str]())
    event_types: Names[str] = field(default_factory=lambda: Names[str]())

    def of(self, column: str) -> Names[Any]:
        """The dictionary of a column of ROW."""
        names: Names[Any] = getattr(self, COLUMNS[column])
        return names

    def sizes(self) -> Sizes:
        """For `since`."""
        return Sizes(len(self.products), len(self.pages), len(self.countries), len(self.event_types))

    def since(self, sizes: Sizes) -> NewNames:
        """What joined after there were `sizes` of them."""
        return NewNames(
            tuple(self.products.since(sizes.products)),
            tuple(self.pages.since(sizes.pages)),
            tuple(self.countries.since(sizes.countries)),
            tuple(self.event_types.since(sizes.event_types)),
        )

    def extend(self, new: NewNames) -> None:
        """Take over names that joined elsewhere; those that are here already change nothing."""
        self.products.extend(new.products)
        self.pages.extend(new.pages)
        self.countries.extend(new.countries)
        self.event_types.extend(new.event_types)
