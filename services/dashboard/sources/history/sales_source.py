"""Reads the sales of today: once a second for all viewers of a time zone and site, failures as values."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from threading import Lock
from typing import Final, Protocol

import msgspec

from services.dashboard.sources.history import questions
from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question, Today
from services.dashboard.sources.history.sales import (
    NOTHING,
    Answer,
    Earlier,
    Hour,
    Leading,
    Row,
    SalesDay,
    Sums,
    other_currencies,
    read_answer,
)
from services.dashboard.sources.observations import Sold, SoldObservation, Unreachable
from services.dashboard.sources.single_flight import SingleFlight
from shared.events.time_units import MINUTE_MS

_MOST_FLIGHTS: Final = 64
"""Of different zones and sites. A browser may claim any zone."""

_KEPT_MS: Final = 10 * MINUTE_MS
"""How long the hours of an earlier day are kept. Only late events change them."""

_TITLES_AT_ONCE: Final = 3
_LONGEST_REASON: Final = 300


class Client(Protocol):
    """Asks history: `HistoryClient`."""

    def ask(self, question: Question, /) -> bytes:
        """The answer. Raises HistoryFailure."""


class SalesSource:
    """Thread-safe. `now_ms` is the wall clock, `elapsed_seconds` is monotonic."""

    def __init__(self, client: Client, *, now_ms: Callable[[], int], elapsed_seconds: Callable[[], float]) -> None:
        self._client = client
        self._now_ms = now_ms
        self._elapsed_seconds = elapsed_seconds
        self._lock = Lock()
        self._flights: OrderedDict[tuple[str, str | None], SingleFlight[SoldObservation]] = OrderedDict()

    def observe(self, zone: tzinfo, site: str | None) -> SoldObservation:
        """The sales of today in a zone, at most a second old while history answers. `site` None is all."""
        with self._lock:
            key = (str(zone), site)
            flight = self._flights.get(key)
            if flight is None:
                ask = partial(self._ask, _Reader(self._client, zone, site))
                flight = self._flights[key] = SingleFlight(ask, self._elapsed_seconds)
            self._flights.move_to_end(key)
            if len(self._flights) > _MOST_FLIGHTS:
                self._flights.popitem(last=False)
        return flight.get()

    def _ask(self, reader: "_Reader", before: SoldObservation | None) -> SoldObservation:
        now_ms = self._now_ms()
        try:
            return Sold(reader.read(now_ms))
        except HistoryFailure as failure:
            since_ms = before.since_ms if isinstance(before, Unreachable) else now_ms
            last = before.day if isinstance(before, Sold) else before.last if before else None
            return Unreachable(since_ms, failure.reason, last, failure.is_refused)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The hours of an earlier day, and when they were asked for."""

    starts_ms: int
    asked_ms: int
    hours: Sequence[Hour]


class _Reader:
    """Asks one question a second, and the others only after a sale or when the minute ends.

    Used by one thread at a time.
    """

    def __init__(self, client: Client, zone: tzinfo, site: str | None) -> None:
        self._client, self._zone, self._site = client, zone, site
        self._seen: tuple[Today, Sequence[Row], SalesDay] | None = None
        self._until_now: dict[questions.Before, tuple[Today, Sums | None]] = {}
        self._hours: dict[questions.Before, _Kept] = {}
        self._titles: dict[str, str] = {}

    def read(self, now_ms: int) -> SalesDay:
        """Raises HistoryFailure."""
        today = questions.today_of(now_ms, self._zone, self._site)
        # First, so that a sale that comes while the others are asked changes it at the next look.
        sums = self._ask(questions.currencies(today))
        seen = self._seen
        if seen is not None and seen[:2] == (today, sums.rows):
            return self._titled(today, replace(seen[2], as_of_ms=sums.as_of_ms, since_ms=sums.since_ms))
        hours = self._ask(questions.hours(today))
        total = sum((hour.sums for hour in hours.hours), NOTHING)
        day = SalesDay(
            starts_ms=today.starts_ms,
            ends_ms=today.ends_ms,
            as_of_ms=hours.as_of_ms,
            since_ms=hours.since_ms,
            currency=hours.currency,
            total=total,
            hours=hours.hours,
            yesterday=self._earlier(today, "yesterday", hours.since_ms, now_ms),
            last_week=self._earlier(today, "last_week", hours.since_ms, now_ms),
            categories=self._ask(questions.leading(today, "category", "revenue")).leading,
            platforms=self._ask(questions.leading(today, "platform", "revenue")).leading,
            by_revenue=self._ask(questions.leading(today, "productId", "revenue")).leading,
            by_profit=self._ask(questions.leading(today, "productId", "profit")).leading,
            by_refunded=self._refunded(today, total),
            currencies=other_currencies(sums.rows, hours.currency),
        )
        self._seen = (today, sums.rows, day)
        return day if seen is None else self._titled(today, day)

    def _refunded(self, today: Today, total: Sums) -> Leading:
        """The products of which most was refunded, those without refunds last."""
        return (
            self._ask(questions.leading(today, "productId", "refunded")).leading if total.refunded else Leading([], 0)
        )

    def _earlier(self, today: Today, before: questions.Before, since_ms: int | None, now_ms: int) -> Earlier | None:
        """The earlier day; None if history does not reach back to its start."""
        starts_ms = questions.started(today, before, self._zone)
        if since_ms is None or since_ms > starts_ms:
            return None
        of, sums = self._until_now.get(before, (None, None))
        if of != today:
            sums = self._ask(questions.until_now_of(today, before)).compared
            self._until_now[before] = (today, sums)
        return None if sums is None else Earlier(starts_ms, sums, self._hours_of(today, before, starts_ms, now_ms))

    def _hours_of(self, today: Today, before: questions.Before, starts_ms: int, now_ms: int) -> Sequence[Hour]:
        kept = self._hours.get(before)
        if kept is None or kept.starts_ms != starts_ms or now_ms - kept.asked_ms >= _KEPT_MS:
            hours = self._ask(questions.hours_of(today, before, self._zone)).hours
            kept = self._hours[before] = _Kept(starts_ms, now_ms, hours)
        return kept.hours

    def _titled(self, today: Today, day: SalesDay) -> SalesDay:
        """The day with the titles that are known by now: a few more are asked for at each look."""
        products = set(day.products)
        self._titles = {product: title for product, title in self._titles.items() if product in products}
        for product in sorted(products - self._titles.keys())[:_TITLES_AT_ONCE]:
            rows = self._ask(questions.title_of(today, product)).rows
            self._titles[product] = rows[0].name if rows else ""
        return replace(day, titles=dict(self._titles))

    def _ask(self, question: Question) -> Answer:
        try:
            return read_answer(self._client.ask(question))
        except msgspec.DecodeError as error:
            raise HistoryFailure(f"its answer cannot be read: {error}"[:_LONGEST_REASON]) from None
