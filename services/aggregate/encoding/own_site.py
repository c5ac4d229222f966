"""Leaves out the records of other sites, before they cost names or memory. Pure."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from services.aggregate.columns.sites import site_of_event
from shared.events.counted import Decoded
from shared.streams.event_log import Record

_MOST_REMEMBERED: Final = 10_000
_site_of: Final = attrgetter("site")


class _Own(dict[Any, bool]):
    """Whether a text in the field `site` names our site; looking up a new one finds out."""

    def __init__(self, site: str) -> None:
        super().__init__()
        self._site = site

    def __missing__(self, text: Any) -> bool:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        is_own = self[text] = site_of_event(text) == self._site
        return is_own


class OfSite(NamedTuple):
    """The records of one site among those of a slice, and what they hold. None was refused."""

    records: Sequence[Record]
    decoded: Decoded


class OwnSite:
    """Finds the events of one site. What cannot be read is of no site that anybody knows."""

    def __init__(self, site: str) -> None:
        """`site` is a name as `site_name` returns it."""
        self._is_own = _Own(site)

    def among(self, records: Sequence[Record], decoded: Decoded) -> OfSite:
        """Those of the site, in their order. `decoded` is what the records hold."""
        is_own = list(map(self._is_own.__getitem__, map(_site_of, decoded.events)))
        if decoded.refused:
            records = [record for place, record in enumerate(records) if place not in decoded.refused]
        elif all(is_own):
            return OfSite(records, decoded)
        own = [place for place, own in enumerate(is_own) if own]
        events, timestamps = decoded.events, decoded.timestamps
        left = Decoded([events[place] for place in own], [timestamps[place] for place in own], {})
        return OfSite([records[place] for place in own], left)
