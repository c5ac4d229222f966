"""Clicks from the events that history stores in SQL. Pure.

SQL knows neither when an event arrived nor its place in the log: `arrival_ms`, `partition` and `offset` say nothing.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from services.aggregate.columns.dimensions import RANKED_DIMENSIONS, Dimension
from services.aggregate.columns.sites import site_of_event
from services.aggregate.proof.clicks import NAMED, PLACES, TITLE, Click, Names, Sale
from shared.events.amounts import MILLION, ORDER_LINE, REFUND_LINE
from shared.events.limits import shortened
from shared.events.schema import DEVICE_TYPES
from shared.events.stored import StoredEvent

_PRODUCT: Final = "product"
_NAMED_BY_HISTORY: Final = ("source", "channel", "campaign", "page")
_REMEMBERED: Final = 100_000  # combinations of names
_MOST_SITES: Final = 10_000
_site: Final = lru_cache(_MOST_SITES)(site_of_event)

STORED_DIMENSIONS: Final = tuple(own for own in RANKED_DIMENSIONS if own.name in StoredEvent._fields)


class StoredClicks:
    """The clicks of one site, or of all. `read` are the events that were read."""

    def __init__(self, events: Iterable[StoredEvent], *, site: str | None = None) -> None:
        self.read = 0
        self.clicks: list[Click] = []
        self.has_pages_at_once = False
        """Whether a visitor saw two pages in one millisecond: which was the first, SQL does not know."""
        pages: dict[tuple[int, int], str] = {}
        page = PLACES["pages_1h"]
        for event in events:
            self.read += 1
            if site is not None and _site(event.site) != site:
                continue
            click = Click(
                event.timestamp_ms,
                event.timestamp_ms,
                0,
                self.read,
                str(event.visitor),
                event.device if event.device in DEVICE_TYPES else "Other",
                _names_of(*event[event._fields.index("site") : event._fields.index("currency")]),
                _sale_of(event),
            )
            self.clicks.append(click)
            seen = click.names[page]
            if seen is not None and pages.setdefault((event.visitor, event.timestamp_ms), seen) != seen:
                self.has_pages_at_once = True


@lru_cache(_REMEMBERED)
def _names_of(*texts: str | None) -> Names:
    fields = StoredEvent._fields
    first = fields.index("site")
    own = dict(zip(fields[first : first + len(texts)], texts, strict=True))
    found: dict[str, str | None] = {}
    for dimension in STORED_DIMENSIONS:
        found |= _shown(dimension, own)
    return tuple([found.get(named) for named in NAMED])


def _shown(dimension: Dimension, own: dict[str, str | None]) -> dict[str, str | None]:
    name: Any
    if dimension.name in _NAMED_BY_HISTORY:
        name = own[dimension.name]
    elif dimension.name == _PRODUCT:
        name = dimension.encode(own["product"], own["category"], own["title"])
    else:
        name = dimension.encode(own[dimension.name])
    if isinstance(name, str) and dimension.max_bytes is not None:
        name = shortened(name, dimension.max_bytes)
    text_of = {shown.ranking: shown.text_of or str for shown in dimension.shown if shown.ranking}
    found = {ranking: None if name is None else text(name) for ranking, text in text_of.items()}
    if dimension.name == _PRODUCT:
        found[TITLE] = None if name is None else name.title
    return found


def _sale_of(event: StoredEvent) -> Sale | None:
    if event.value is None:
        return None
    millionths = int(event.value * MILLION)
    return Sale(millionths, event.currency or "", event.event_type in (ORDER_LINE, REFUND_LINE), is_other=False)
