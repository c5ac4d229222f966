"""Reads the records of the log, and keeps the clicks that count. Pure.

What it keeps of a click takes a few hundred bytes, so that a million fit into memory.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.aggregate.columns.dimensions import SOURCE_FIELDS
from services.aggregate.columns.sites import site_of_event
from services.aggregate.proof.arrivals import Arrivals
from services.aggregate.proof.clicks import Click, Sale, first_of_each_user, newest_first
from services.aggregate.proof.naming import Naming
from shared.events.amounts import currency_of, millionths_of
from shared.events.counted import CountedDecoder
from shared.events.limits import Limits
from shared.events.refusals import Refusal
from shared.events.schema import DEVICE_TYPES
from shared.privacy.erasures import NO_ERASURES, Erasures
from shared.rollups.model import LATEST_EVENTS_SHOWN, LATEST_VISITORS_SHOWN
from shared.streams.event_log import Record

_HALF_HOURS_BACK: Final = 16
_MOST_LATEST: Final = 5_000
_MOST_SITES: Final = 10_000
_site: Final = lru_cache(_MOST_SITES)(site_of_event)


class Latest(NamedTuple):
    """The latest clicks of the last hour, and those of the latest visitors, newest first."""

    clicks: Sequence[Click]
    visitors: Sequence[Click]


class CountedClicks:
    """Takes the records of each partition in order. `clicks` are those that the windows at T, `now_s`, may show."""

    def __init__(
        self,
        now_s: int,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        erasures: Erasures = NO_ERASURES,
        site: str | None = None,
        most_sales: int | None = None,
    ) -> None:
        """`site`: the only one whose events count; None: all. `most_sales`: of each partition, as in `Arrivals`."""
        self.clicks: list[Click] = []
        self.read = 0
        self.newest_event_ms = 0
        self.decoder = CountedDecoder(SOURCE_FIELDS, limits)
        self._now_s = now_s
        self.oldest_s = (now_s // 1800 - _HALF_HOURS_BACK) * 1800
        self._erasures = erasures
        self._own_site = site
        self._most_sales = most_sales
        self._naming = Naming()
        self._arrivals: dict[int, Arrivals] = {}
        self._users: dict[str, str] = {}
        self._candidates: list[Click] = []  # among which the latest are
        self._values: dict[tuple[int, int], bytes] = {}  # their records, by partition and offset

    def add(self, records: Sequence[Record]) -> None:
        """Count the next records of one or more partitions."""
        for record in records:
            self.read += 1
            event: Any = self.decoder.decode(record.value)
            if isinstance(event, Refusal):
                continue
            if self._erasures.erases(event.userId, event.timestamp, record.timestamp_ms):
                continue
            if self._own_site is not None and _site(event.site) != self._own_site:
                continue
            self._add(event, record)

    def _add(self, event: Any, record: Record) -> None:
        arrivals = self._arrivals.get(record.partition)
        if arrivals is None:
            arrivals = self._arrivals[record.partition] = Arrivals(self._most_sales)
        if arrivals.outcome(event.timestamp, record.timestamp_ms, event.userId, event.eventId) != "counted":
            return
        sale = _sale_of(event, arrivals)
        if event.timestamp // 1000 > self._now_s:
            return
        self.newest_event_ms = max(self.newest_event_ms, event.timestamp)
        if event.timestamp < self.oldest_s * 1000:
            return
        click = Click(
            event.timestamp,
            record.timestamp_ms,
            record.partition,
            record.offset,
            self._users.setdefault(event.userId, event.userId),
            event.deviceType if event.deviceType in DEVICE_TYPES else "Other",
            self._naming.names_of(event),
            sale,
        )
        self.clicks.append(click)
        if click.second > self._now_s - 3600:
            self._candidates.append(click)
            self._values[click.partition, click.offset] = self.decoder.kept(record.value)
            if len(self._candidates) > _MOST_LATEST:
                self.latest()

    def latest(self) -> Latest:
        """The latest of all that was read so far."""
        ordered = newest_first(self._candidates)
        latest = Latest(ordered[:LATEST_EVENTS_SHOWN], first_of_each_user(ordered, LATEST_VISITORS_SHOWN))
        kept = {(click.partition, click.offset): click for click in (*latest.clicks, *latest.visitors)}
        self._candidates = list(kept.values())
        self._values = {place: self._values[place] for place in kept}
        return latest

    def value_of(self, click: Click) -> bytes:
        """The record of a latest click, as it is kept."""
        return self._values[click.partition, click.offset]


def _sale_of(event: Any, arrivals: Arrivals) -> Sale | None:
    millionths = millionths_of(event.value) if isinstance(event.value, str) else None
    if millionths is None:
        return None
    currency = currency_of(event.currency) if isinstance(event.currency, str) and event.currency else ""
    order = event.orderId if isinstance(event.orderId, str) and event.orderId else None
    return arrivals.sale(event.timestamp, event.userId, millionths, currency, order, event.eventType)
