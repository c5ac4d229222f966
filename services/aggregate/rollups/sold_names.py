"""What each name sold, over all partitions: added up from one publish to the next, at the cost of what changed.

It is a cache: what it returns depends on the figures that it was given last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array, Ints, grown
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS, Dimension
from services.aggregate.columns.sales import (
    NO_CURRENCY_CODE,
    bots_of,
    codes_of,
    currencies_of,
    currency_code,
    windows_of,
)
from services.aggregate.engine.ledger import (
    LOW_BITS,
    LOW_MASK,
    ORDER_LINES,
    ORDERS,
    REFUNDED_HIGH,
    REFUNDED_LOW,
    SOLD_HIGH,
    SOLD_LOW,
    Changing,
    Sums,
    sales_of,
)
from services.aggregate.rollups.name_order import NameOrder
from services.aggregate.rollups.ranking import least_ranked, ranked
from services.aggregate.rollups.sales_figures import NamedSums
from shared.rollups.commerce import REVENUE_WINDOWS
from shared.rollups.model import Audience

_FEWEST: Final = 4_096
"""Names that sell nothing any more are dropped when there are this many, and more of them than of the others."""
_NOBODY: Final = 0
"""The place of codes without a name."""
_UNKNOWN: Final = -1
_AUDIENCES: Final[tuple[Audience, ...]] = ("human", "bot")
_HIGH, _LOW, _ORDERS, _SALES = range(4)
"""Revenue above and below 2³², orders, and all sales."""


@dataclass(slots=True)
class _Source:
    """What is known of one partition."""

    changing: Changing
    places: Array = field(default_factory=lambda: np.empty(0, np.int32))
    """By code; _UNKNOWN while no sale has it."""
    sales: Array = field(default_factory=lambda: np.empty(0, np.int32))
    """By code: sales in the sums. A code without any may be given to another name."""


class _Texts:
    """The sums of the texts that names are shown by, in the reporting currency."""

    def __init__(self, text_of: Callable[[Any], str] | None) -> None:
        self._text_of = text_of
        self._texts: list[Any] = [None]  # that of _NOBODY
        self.places: dict[Any, int] = {None: _NOBODY}
        self._order = NameOrder(self._texts)
        self.of = np.zeros(1, np.int32)  # by place of a name
        self._sums = np.zeros((4, len(REVENUE_WINDOWS) * len(_AUDIENCES), 1), np.int64)
        self._shown: dict[tuple[int, Audience], list[tuple[str, int, int]]] = {}

    def learn(self, names: Sequence[Any], first: int) -> None:
        """Take over new names, which have the places from `first` on."""
        self.of = grown(self.of, first + len(names))
        for place, name in enumerate(names, first):
            text = name if self._text_of is None else self._text_of(name)
            known = self.of[place] = self.places.setdefault(text, len(self._texts))
            if known == len(self._texts):
                self._texts.append(text)
        self._sums = grown(self._sums, len(self._texts))

    def add(self, rows: Ints, names: Array, amounts: Ints) -> None:
        """Add amounts, a row for each of the four sums. `rows` are windows and audiences, `names` places of names."""
        at = rows * self._sums.shape[2] + self.of[names]
        for sums, own in zip(self._sums, amounts, strict=True):
            np.add.at(sums.reshape(-1), at, own)
        _carry(self._sums[_HIGH].reshape(-1), self._sums[_LOW].reshape(-1), np.unique(at))
        self._shown.clear()

    def greatest(self, window: int, audience: Audience, most: int) -> list[tuple[str, int, int]]:
        """The texts of the greatest revenues, each with its revenue in millionths and its orders.

        Greatest first, ties to the smaller text bytewise.
        """
        if (window, audience) not in self._shown:
            self._shown[window, audience] = self._greatest(window, audience, most)
        return self._shown[window, audience]

    def _greatest(self, window: int, audience: Audience, most: int) -> list[tuple[str, int, int]]:
        first = len(_AUDIENCES) * window
        if audience in _AUDIENCES:
            sums = self._sums[:, first + _AUDIENCES.index(audience)]
        elif not self._sums[_SALES, first + 1].any():
            return self.greatest(window, "human", most)  # the same, as nearly always
        else:
            sums = self._sums[:, first] + self._sums[:, first + 1]
            _carry(sums[_HIGH], sums[_LOW], slice(None))
        places = self._leading(sums[:, : len(self._texts)], most)
        high, low, orders, _ = sums[:, places].tolist()
        shown = [
            (self._texts[place], (above << LOW_BITS) + below, number)
            for place, above, below, number in zip(places, high, low, orders, strict=True)
        ]
        return sorted(shown, key=lambda sold: (-sold[1], sold[0]))

    def _leading(self, sums: Ints, most: int) -> list[int]:
        """The places of the greatest revenues."""
        high, low = sums[_HIGH], sums[_LOW]
        has_sales = (sums[_SALES] > 0) & (sums[_ORDERS] >= 0)  # anybody may be another replica
        if np.count_nonzero(has_sales) <= most:
            return np.flatnonzero(has_sales).tolist()
        score = np.where(has_sales, high - high.min() + 1, 0)
        least = least_ranked(score, most)
        above = np.flatnonzero(score > least)  # fewer than `most`
        ties = np.where(score == least, low + 1, 0)
        others = ranked(self._texts, ties, most - len(above), self._order)
        return [*above.tolist(), *(self.places[text] for text, _ in others)]


class SoldNames:
    """What the names of one dimension sold. Not thread-safe."""

    def __init__(self, dimension: Dimension, currency: str) -> None:
        """`currency` is the reporting currency."""
        self._dimension = dimension
        self._currency = currency
        self._code = currency_code(currency)
        self._clear()

    def _clear(self) -> None:
        self._names: list[Any] = [None]  # by place
        self._places: dict[Any, int] = {None: _NOBODY}
        self._sales = np.zeros(1, np.int64)  # by place, of the longest window, in any currency
        self._sources: list[_Source] = []
        self._texts = {shown.revenue: _Texts(shown.text_of) for shown in self._dimension.shown if shown.revenue}

    def update(self, parts: Sequence[NamedSums]) -> None:
        """Follow the sums of all partitions."""
        if len(self._names) > 2 * max(_FEWEST, sum(len(part.changing.settled.keys) for part in parts)):
            self._clear()  # rarely; what is used is added up again
        left, self._sources = self._sources, []
        for part in parts:
            source, added = _known(left, part.changing)
            left = [other for other in left if other is not source]
            for sums in added:
                self._add(source, sums, part.names)
            source.changing = part.changing
            self._sources.append(source)
        for source in left:
            keys, figures = source.changing.total()
            self._add(source, Sums(keys, -figures), ())

    def greatest(self, revenue: str, window: str, audience: Audience, most: int) -> list[tuple[str, int, int]]:
        """See `_Texts`; `revenue` is that of a `Shown`."""
        return self._texts[revenue].greatest(REVENUE_WINDOWS.index(window), audience, most)

    def sales_of(self, revenue: str, texts: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """The names that are shown by these texts, each with its sales in the longest window."""
        own = self._texts[revenue]
        is_shown = np.zeros(len(own.places), np.bool_)
        is_shown[[own.places[text] for text in texts if text in own.places]] = True
        size = len(self._names)
        for place in np.flatnonzero(is_shown[own.of[:size]] & (self._sales[:size] > 0)).tolist():
            yield int(self._sales[place]), self._names[place]

    def _add(self, source: _Source, sums: Sums, names: Sequence[Any]) -> None:
        """Add sums of a source, whose codes have these names; none: those that are not known have no sales left."""
        if not len(sums.keys):
            return
        codes, figures = codes_of(sums.keys), sums.figures
        source.places = grown(source.places, int(codes.max()) + 1, _UNKNOWN)
        source.sales = grown(source.sales, int(codes.max()) + 1)
        unknown = np.unique(codes[source.places[codes] == _UNKNOWN])
        if len(unknown):
            source.places[unknown] = self._placed([names[code] for code in unknown.tolist()]) if names else _NOBODY
        places, sales, orders = source.places[codes], sales_of(figures), figures[:, ORDERS]
        if self._dimension.counts_lines:
            orders = orders + figures[:, ORDER_LINES]
        window, currency = windows_of(sums.keys), currencies_of(sums.keys)
        is_longest = window == len(REVENUE_WINDOWS) - 1
        np.add.at(self._sales, places[is_longest], sales[is_longest])
        own = (currency == NO_CURRENCY_CODE) | (currency == self._code)
        if own.any():
            rows = len(_AUDIENCES) * window + bots_of(sums.keys)
            high, low = (
                figures[:, SOLD_HIGH] - figures[:, REFUNDED_HIGH],
                figures[:, SOLD_LOW] - figures[:, REFUNDED_LOW],
            )
            amounts = np.stack((high, low, orders, sales))
            for texts in self._texts.values():
                texts.add(rows[own], places[own], amounts[:, own])
        np.add.at(source.sales, codes, sales.astype(np.int32))
        source.places[codes[source.sales[codes] == 0]] = _UNKNOWN

    def _placed(self, names: Sequence[Any]) -> list[int]:
        """The places of names, which are added if they are new."""
        first = len(self._names)
        places = []
        for name in names:
            place = self._places.setdefault(name, len(self._names))
            if place == len(self._names):
                self._names.append(name)
            places.append(place)
        self._sales = grown(self._sales, len(self._names))
        for texts in self._texts.values():
            texts.learn(self._names[first:], first)
        return places


def _known(sources: Sequence[_Source], changing: Changing) -> tuple[_Source, Sequence[Sums]]:
    """The source whose sums became these, and what was added since; else a new one, and all."""
    for source in sources:
        added = changing.since(source.changing)
        if added is not None:
            return source, added
    return _Source(changing), [changing.total()]


def _carry(high: Ints, low: Ints, at: Any) -> None:
    """Bring the lower halves below 2³², so that equal amounts are equal numbers."""
    high[at] += low[at] >> LOW_BITS
    low[at] &= LOW_MASK


class SoldIndex:
    """The same by dimension. Not thread-safe."""

    def __init__(self, currency: str) -> None:
        """`currency` is the reporting currency."""
        self.currency = currency
        self._dimensions = {dimension.name: SoldNames(dimension, currency) for dimension in REVENUE_DIMENSIONS}

    def of(self, dimension: str) -> SoldNames:
        """What the names of a dimension sold."""
        return self._dimensions[dimension]

    def update(self, by_name: Mapping[str, Sequence[NamedSums]]) -> None:
        """Follow the sums of all partitions, by dimension."""
        for dimension, parts in by_name.items():
            self._dimensions[dimension].update(parts)
