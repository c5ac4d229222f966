"""What the panels of the Sales page draw. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.dashboard.sources.history.sales import SalesDay

_UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sales of a day, and what Redis knows of products: their titles and categories by id."""

    day: SalesDay
    products: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def title(self, product: str) -> str:
        """The title of a product, or its id."""
        for title in (self.products.get(product, {}).get("title"), self.day.titles.get(product)):
            if title and title != _UNKNOWN:
                return title
        return f"Product {product}"

    def category(self, product: str) -> str:
        """The category of a product."""
        return self.products.get(product, {}).get("category") or _UNKNOWN

    @property
    def categories(self) -> list[str]:
        """The categories on the page, the leading ones first, because colours are assigned in this order."""
        names = [*(name for name, _ in self.day.categories.names), *(self.category(own) for own in self.day.products)]
        return list(dict.fromkeys(names))
