"""What a viewer chose to explore of a long window, and the questions that it asks of history. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.dashboard.explore.choices import EVERYTHING
from services.dashboard.explore.columns import COLUMNS
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.counting.series import Measure
from services.dashboard.explore.long_windows.measures import (
    BESIDE,
    SALES_METRICS,
    SESSIONS_METRICS,
    LongMeasure,
    is_sales,
)
from services.dashboard.kit.time_zones import Clock
from services.dashboard.sources.history.questions import Question
from shared.events.timestamps import iso_second

Window = Literal["4h", "24h", "3d", "7d", "30d", "12mo", "dates"]
Interval = Literal["minute", "hour", "day", "month"]

WINDOWS: Final[Mapping[Window, str]] = {
    "4h": "4 h",
    "24h": "24 h",
    "3d": "3 days",
    "7d": "7 days",
    "30d": "30 days",
    "12mo": "12 months",
    "dates": "From–to",
}
INTERVALS: Final[Mapping[Interval, str]] = {"minute": "Minute", "hour": "Hour", "day": "Day", "month": "Month"}
OFFERED: Final[Mapping[Window, tuple[Interval, ...]]] = {
    "4h": ("minute", "hour"),
    "24h": ("hour", "minute"),
    "3d": ("hour", "day"),
    "7d": ("hour", "day"),
    "30d": ("day", "hour"),
    "12mo": ("month", "day"),
}
"""The intervals of each window, the usual one first: series of at most 1,500 buckets."""

COMPARISONS: Final[Mapping[str, str]] = {
    "": "Off",
    "previous": "Previous period",
    "yesterday": "Yesterday",
    "last_week": "Last week",
    "last_year": "Last year",
}
EARLIER: Final[Mapping[str, str]] = {
    "previous": "the period before",
    "yesterday": "the day before",
    "last_week": "the week before",
    "last_year": "the year before",
}
"""In sentences, and next to the second curve."""

BREAKDOWNS: Final[Mapping[str, str]] = {
    **COLUMNS.breakdowns,
    "title": "Title",
    "platform": "Platform",
    "currency": "Currency",
}
"""What history breaks down by and filters: the dimensions of the segments, and its own."""

LISTED: Final[Mapping[str, str]] = {
    "productId": "Products",
    "title": "Titles",
    "page": "Pages",
    "platform": "Platforms",
    "currency": "Currencies",
}
"""Filters of long windows, in place of the search. One types the names that the minutes do not have."""

RANKED: Final = 10
MOST_NAMES: Final = 10_000
"""As many as history answers with."""

_MOST_DAILY: Final = 1_500
_LONGEST_DAYS: Final = 3_660
FIRST_DAY, LAST_DAY = date(1971, 1, 2), date(2199, 12, 30)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days of the viewer's time zone, both included."""

    first: date
    last: date

    @property
    def number(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Bucket:
    """A month, day or hour."""

    interval: Interval
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LongChoices:
    """All that the viewer chose. `days` are those of the window `dates`."""

    window: Window = "24h"
    interval: Interval = "hour"
    measure: LongMeasure = "views"
    compare: str = ""
    wanted: Filter = EVERYTHING
    breakdown: str = "category"
    days: Days | None = None
    bucket: Bucket | None = None  # the part of the window that the viewer zoomed to; `interval` is of its own buckets

    @property
    def traffic(self) -> Measure:
        """What is counted where history has no sales."""
        return "visitors" if self.measure == "visitors" else "views"


@dataclass(frozen=True, slots=True)
class Questions:
    """What the page asks; None for what this window has no panel of. Fields are named as the parts of the page."""

    totals: Question
    series: Question
    ranked: Question
    hours: Question | None
    visits: Question
    ages: Question
    currencies: Question | None
    sessions: Question | None


def has_weekdays(choices: LongChoices) -> bool:
    """Whether the hours of the week are asked for: at most 1,500."""
    days = choices.days
    if choices.bucket is not None:
        return choices.bucket.interval == "month"
    return choices.window in ("3d", "7d", "30d") or (days is not None and 2 < days.number <= 62)


def intervals_of(window: Window, days: Days | None = None) -> tuple[Interval, ...]:
    """The intervals to offer, the usual one first."""
    if window != "dates":
        return OFFERED[window]
    number = 1 if days is None else days.number
    if number <= 1:
        return ("hour", "minute")
    if number <= 14:
        return ("hour", "day")
    if number <= 62:
        return ("day", "hour")
    if number <= _MOST_DAILY:
        return ("day", "month") if number <= 200 else ("month", "day")
    return ("month",)


def read_days(first: date, last: date) -> Days:
    """The days in order, within what history answers."""
    first, last = min(first, last), max(first, last)
    first = min(max(first, FIRST_DAY), LAST_DAY)
    return Days(first, min(max(last, first), LAST_DAY, first + timedelta(days=_LONGEST_DAYS - 1)))


def questions(choices: LongChoices, clock: Clock, site: str) -> Questions:
    """The questions of these choices; days and months are those of the clock's zone.

    `site`: only events of this site, whichever the viewer asks for; empty for all.
    """
    zone = clock.zone.key if isinstance(clock.zone, ZoneInfo) else "UTC"
    common = [*_bounds(choices, clock), ("timezone", zone), *_filters(choices.wanted, site)]
    own = [*common, ("interval", str(choices.interval))]
    compare = [("compare", choices.compare)] if choices.compare else []
    numbers = ("limit", str(MOST_NAMES))
    is_of_sales = is_sales(choices.measure)
    currencies = [("by", "currency"), ("metrics", ",".join(SALES_METRICS)), numbers]
    ranked = [("by", choices.breakdown), ("metrics", _metrics(ordered_by(choices))), ("limit", str(RANKED))]
    return Questions(
        totals=_question("aggregate", own, compare, [("metrics", _metrics("revenue"))] if is_of_sales else []),
        series=_question(
            "timeseries", own, compare, [("metrics", _metrics(choices.measure) if is_of_sales else choices.measure)]
        ),
        ranked=_question("breakdown", own, compare, ranked),
        hours=_question("timeseries", common, [("interval", "hour"), ("metrics", "views")])
        if has_weekdays(choices)
        else None,
        visits=_question("breakdown", own, [("by", "eventsPerVisitor"), ("metrics", "visitors"), numbers]),
        ages=_question("breakdown", own, [("by", "age"), ("metrics", str(choices.traffic)), numbers]),
        currencies=_question("breakdown", own, currencies)
        if is_of_sales and choices.breakdown != "currency" and not wanted_names(choices, "currency")
        else None,
        sessions=_question("aggregate", own, compare, [("metrics", SESSIONS_METRICS)])
        if has_sessions(choices)
        else None,
    )


def ordered_by(choices: LongChoices) -> LongMeasure:
    """What a breakdown is in the order of: not of amounts in several currencies."""
    return "orders" if is_sales(choices.measure) and choices.breakdown == "currency" else choices.measure


def has_sessions(choices: LongChoices) -> bool:
    """Whether history knows sessions under these filters: by site and audience alone."""
    return all(name == "site" for name, _ in choices.wanted.names)


def wanted_names(choices: LongChoices, dimension: str) -> frozenset[str]:
    """The names that the viewer filters by; empty for all."""
    return dict(choices.wanted.names).get(dimension, frozenset())


def all_names(ranked: Question, most: int) -> Question:
    """The question for as many names, without the comparison."""
    kept = [(name, value) for name, value in ranked.parameters if name not in ("limit", "compare")]
    return _question("breakdown", kept, [("limit", str(most))])


def _metrics(first: LongMeasure) -> str:
    if not is_sales(first):
        return f"{first},{BESIDE[first]}"
    return ",".join(dict.fromkeys((first, *SALES_METRICS)))


def _question(kind: str, *parameters: list[tuple[str, str]]) -> Question:
    # Sorted, so that the same choices are the same question.
    return Question(kind, tuple(sorted(pair for part in parameters for pair in part)))


def _bounds(choices: LongChoices, clock: Clock) -> list[tuple[str, str]]:
    """The window; days from the midnight that begins the first until that which ends the last."""
    if choices.bucket is not None:
        first, last = choices.bucket.start, choices.bucket.end
    elif choices.days is not None:
        ends = (choices.days.first, choices.days.last + timedelta(days=1))
        first, last = (datetime.combine(day, time(), clock.zone) for day in ends)
    else:
        return [("window", str(choices.window))]
    return [("from", iso_second(_ms(first))), ("to", iso_second(_ms(last)))]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _filters(wanted: Filter, site: str) -> list[tuple[str, str]]:
    names = [(name, value) for name, values in wanted.names for value in values if not (site and name == "site")]
    audience = [] if wanted.audience == "all" else [("audience", str(wanted.audience))]
    return [*audience, *names, *([("site", site)] if site else [])]
