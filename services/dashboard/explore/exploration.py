"""Everything that is counted for a viewer's choices. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from services.dashboard.explore.choices import EVERYTHING, STEPS, Choices
from services.dashboard.explore.columns import COLUMNS, ExploreColumns
from services.dashboard.explore.counting import distributions, series
from services.dashboard.explore.counting.selection import Selection, Span, distinct_visitors, select, views
from services.dashboard.explore.counting.series import Change, Series, Statistics
from services.dashboard.sources.completed_minutes import CompletedMinutes

RANKED: Final = 10
DENSITY_ROWS: Final = 12
DENSITY_COLUMNS: Final = 120
"""Most columns of the heatmap; a wider window gets longer buckets than the viewer chose."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exploration:
    """What was counted for `choices`, ending with `span`."""

    choices: Choices
    columns: ExploreColumns
    span: Span
    selection: Selection
    unread: frozenset[int]  # minutes of `span` that are missing or incomplete
    views: int
    visitors: int
    series: Series
    statistics: Statistics
    change: Change
    rolling: list[float | None]
    ranked: distributions.Ranked
    density: distributions.Density
    backlog: Span
    events_per_visitor: distributions.Histogram
    ages: distributions.Histogram
    focused: Selection
    focused_views: int


def explore(
    minutes: CompletedMinutes,
    choices: Choices,
    columns: ExploreColumns = COLUMNS,
    first_event_by_ms: int | None = None,
) -> Exploration:
    """Count everything for the viewer's choices; the site is known to have had an event by `first_event_by_ms`."""
    end = minutes.end_minute if choices.at_minute is None else choices.at_minute + 1
    span = Span(end, choices.window_minutes)
    step = min(choices.step_minutes, choices.window_minutes)
    length = max(1, choices.rolling_minutes // step)
    rolled = Span(end, span.minutes + (length - 1) * step)
    backlog = Span(end, choices.backlog_minutes)
    unread = _unread(minutes, Span(end, max(rolled.minutes, backlog.minutes)))
    everything = select(minutes.frame, Span(end, max(rolled.minutes, backlog.minutes)), choices.wanted)
    selection, recent = everything.within(span), everything.within(backlog)
    counted = series.count_by(selection, step, choices.measure, unread)
    longer = series.count_by(everything.within(rolled), step, choices.measure, unread) if length > 1 else counted
    focused = _focused(minutes, choices, selection)
    return Exploration(
        choices=choices,
        columns=columns,
        span=span,
        selection=selection,
        unread=frozenset(minute for minute in unread if span.first_minute <= minute),
        views=views(selection),
        visitors=distinct_visitors(selection),
        series=counted,
        statistics=series.describe(counted),
        change=series.change_of(selection, choices.measure, unread, first_event_by_ms),
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
    """Minutes of a bucket of the heatmap: as chosen, or the shortest longer ones that fit."""
    fitting = [step for step in STEPS if step >= step_minutes and window_minutes // step <= DENSITY_COLUMNS]
    return min(fitting, default=step_minutes)


def _unread(minutes: CompletedMinutes, span: Span) -> set[int]:
    too_old = range(span.first_minute, min(minutes.first_minute, span.end_minute))
    not_completed = range(max(minutes.end_minute, span.first_minute), span.end_minute)
    return {*too_old, *not_completed, *(gap.minute for gap in minutes.gaps)}


def _focused(minutes: CompletedMinutes, choices: Choices, selection: Selection) -> Selection:
    focus = choices.focus
    if focus is None:
        return selection
    names = choices.wanted.names
    if focus.dimension is not None:
        names = (*names, (focus.dimension, frozenset({focus.name})))
    return select(minutes.frame, focus.span, replace(choices.wanted, names=names))


def curve(minutes: CompletedMinutes, first_minute: int) -> list[float]:
    """The events of each minute from `first_minute` on, as a share of the busiest."""
    span = Span(minutes.end_minute, minutes.end_minute - first_minute)
    counts = [count or 0 for count in series.count_by(select(minutes.frame, span, EVERYTHING), 1, "views").counts]
    return [round(count / max(1, *counts), 3) for count in counts]
