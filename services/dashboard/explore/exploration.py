"""What a viewer chose to explore, and everything that is counted for it. Pure.

A choice is kept in the page's address, so it is read from text that anyone may have written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.dashboard.explore import distributions, series
from services.dashboard.explore.selection import Filter, Selection, Span, distinct_visitors, select, views
from services.dashboard.explore.series import Measure, Series, Statistics
from services.dashboard.sources.closed_minutes import ClosedMinutes
from services.dashboard.sources.segments import Array, Frame
from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second, parse_iso_second
from shared.rollups.segment_columns import DIMENSIONS

WINDOWS: Final = {15: "15 min", 30: "30 min", 60: "1 h", 120: "2 h", 240: "4 h", 480: "8 h"}
STEPS: Final = {1: "minute", 5: "5 min", 30: "half hour", 60: "hour"}
ROLLING: Final = {0: "Off", 5: "5 min", 15: "15 min", 30: "30 min", 60: "1 h"}
MEASURES: Final[Mapping[Measure, str]] = {"views": "Views", "visitors": "Visitors"}
NAMES: Final = {
    "category": "Category", "country": "Country", "deviceType": "Device", "gender": "Gender", "page": "Page",
    "productId": "Product", "eventType": "Event type",
}  # fmt: skip

RANKED: Final = 10
DENSITY_ROWS: Final = 12
DENSITY_COLUMNS: Final = 120
"""Most columns of the density picture; with more, its stretches are longer than the viewer chose."""

EVERYTHING: Final = Filter()
EVENTS_SHOWN: Final = 100
_LONGEST_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True)
class Focus:
    """The events behind one figure: a stretch of minutes, and a name in a dimension if the figure is of one."""

    span: Span
    dimension: str | None = None
    name: str = ""

    def __str__(self) -> str:
        text = f"{iso_second(self.span.first_minute * MINUTE_MS)}/{self.span.minutes}"
        return text if self.dimension is None else f"{text}/{self.dimension}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All that the viewer chose; `at_minute` is the last minute to be seen, None the newest one."""

    window_minutes: int = 60
    step_minutes: int = 1
    measure: Measure = "views"
    rolling_minutes: int = 0
    wanted: Filter = EVERYTHING
    breakdown: str = "category"
    density: str = "category"
    backlog_minutes: int = 60
    at_minute: int | None = None
    focus: Focus | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exploration:
    """What was counted for a choice. All of it ends with `span`."""

    span: Span
    selection: Selection
    unread: frozenset[int]  # minutes of `span` that are not there, or not whole
    views: int
    visitors: int
    series: Series
    statistics: Statistics
    rolling: list[float | None]
    ranked: distributions.Ranked
    density: distributions.Density
    backlog: Span
    events_per_visitor: distributions.Histogram
    ages: distributions.Histogram
    focused: Selection
    focused_views: int


def read_focus(text: object) -> Focus | None:
    """The focus that `str` made into text; None for anything else."""
    if not isinstance(text, str):
        return None
    label, _, rest = text.partition("/")
    minutes, _, about = rest.partition("/")
    dimension, _, name = about.partition("/")
    first = read_minute(label)
    if first is None or not minutes.isascii() or not minutes.isdigit() or not 0 < int(minutes[:5]) <= _LONGEST_MINUTES:
        return None
    if about and dimension not in DIMENSIONS:
        return None
    return Focus(Span(first + int(minutes), int(minutes)), dimension or None, name)


def read_minute(label: object) -> int | None:
    """The minute of its label; None for anything else."""
    try:
        return parse_iso_second(label) // MINUTE_MS if isinstance(label, str) else None
    except (ValueError, OverflowError):
        return None


def explore(minutes: ClosedMinutes, choices: Choices) -> Exploration:
    """Count everything for the viewer's choices."""
    end = minutes.end_minute if choices.at_minute is None else choices.at_minute + 1
    span = Span(end, choices.window_minutes)
    step = min(choices.step_minutes, choices.window_minutes)
    length = max(1, choices.rolling_minutes // step)
    rolled = Span(end, span.minutes + (length - 1) * step)
    backlog = Span(end, choices.backlog_minutes)
    unread = _unread(minutes, Span(end, max(rolled.minutes, backlog.minutes)))
    all_of_it = select(minutes.frame, Span(end, max(rolled.minutes, backlog.minutes)), choices.wanted)
    selection, recent = all_of_it.within(span), all_of_it.within(backlog)
    counted = series.count_by(selection, step, choices.measure, unread)
    longer = series.count_by(all_of_it.within(rolled), step, choices.measure, unread) if length > 1 else counted
    focused = _focused(minutes, choices, selection)
    return Exploration(
        span=span,
        selection=selection,
        unread=frozenset(minute for minute in unread if span.first_minute <= minute),
        views=views(selection),
        visitors=distinct_visitors(selection),
        series=counted,
        statistics=series.describe(counted),
        rolling=series.rolling_mean(longer.counts, length)[length - 1 :] if length > 1 else [],
        ranked=distributions.rank(selection, choices.breakdown, RANKED),
        density=distributions.density(selection, choices.density, density_step(span.minutes, step), DENSITY_ROWS),
        backlog=backlog,
        events_per_visitor=distributions.events_per_visitor(recent),
        ages=distributions.ages(recent, choices.measure),
        focused=focused,
        focused_views=views(focused),
    )


def density_step(window_minutes: int, step_minutes: int) -> int:
    """The stretch of the density picture: the chosen one, or the least longer one of which there are few enough."""
    fitting = [step for step in STEPS if step >= step_minutes and window_minutes // step <= DENSITY_COLUMNS]
    return min(fitting, default=step_minutes)


def _unread(minutes: ClosedMinutes, span: Span) -> set[int]:
    not_reached = range(span.first_minute, min(minutes.first_minute, span.end_minute))
    not_closed = range(max(minutes.end_minute, span.first_minute), span.end_minute)
    return {*not_reached, *not_closed, *(gap.minute for gap in minutes.gaps)}


def _focused(minutes: ClosedMinutes, choices: Choices, selection: Selection) -> Selection:
    focus = choices.focus
    if focus is None:
        return selection
    names = choices.wanted.names
    if focus.dimension is not None:
        names = (*names, (focus.dimension, frozenset({focus.name})))
    return select(minutes.frame, focus.span, Filter(choices.wanted.audience, names))


def curve(minutes: ClosedMinutes, first_minute: int) -> list[float]:
    """The events of each minute from `first_minute` on, as a share of the greatest."""
    span = Span(minutes.end_minute, minutes.end_minute - first_minute)
    counts = [count or 0 for count in series.count_by(select(minutes.frame, span, EVERYTHING), 1, "views").counts]
    return [round(count / max(1, *counts), 3) for count in counts]


def latest_events(selection: Selection, most: int) -> list[dict[str, Any]]:
    """The `most` latest events of a selection, newest first; a visitor is `partition:number`."""
    timestamps = selection.frame.timestamps
    rows = np.arange(selection.rows.start, selection.rows.stop) if isinstance(selection.rows, slice) else selection.rows
    if len(rows) > most:
        # Rows are ordered by minute: what is older than the minute of the last `most` cannot be among them.
        rows = rows[int(np.searchsorted(selection.minutes, selection.minutes[-most])) :]
    newest = rows[np.argsort(timestamps[rows], kind="stable")][::-1][:most]
    frame = selection.frame
    columns = {
        "timestamp": timestamps[newest].tolist(),
        "visitor": [
            f"{partition}:{number}"
            for partition, number in zip(
                frame.partitions[newest].tolist(), frame.visitor_numbers[newest].tolist(), strict=True
            )
        ],
        **{dimension: _texts(frame, dimension, newest) for dimension in DIMENSIONS},
        "age": [None if age < 0 else age for age in frame.ages[newest].tolist()],
        "bot": frame.bots[newest].tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _texts(frame: Frame, dimension: str, rows: Array) -> list[str | None]:
    names: list[str | None] = [*frame.names[dimension], None]  # an absent text is -1, the last
    return [names[code] for code in frame.codes[dimension][rows].tolist()]
