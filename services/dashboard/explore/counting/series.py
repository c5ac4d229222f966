"""Counts by bucket of minutes, and the statistics of such a series. Pure.

Buckets are counted back from the end of the span, so all are complete.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.dashboard.explore.counting.selection import Selection, Span, distinct_visitors, views
from services.dashboard.sources.segments import Array
from shared.events.time_units import MINUTE_MS

Measure = Literal["views", "visitors"]


@dataclass(frozen=True, slots=True)
class Series:
    """A count for each bucket of `step_minutes`; None if one of its segments could not be read."""

    first_minute: int
    step_minutes: int
    counts: Sequence[int | None]

    def span(self, place: int) -> Span:
        """The minutes of one bucket."""
        return Span(self.first_minute + (place + 1) * self.step_minutes, self.step_minutes)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the known buckets; None with too few of them. `…_place` is the index of a bucket, the last of equals."""

    latest: int | None = None
    mean: float | None = None
    least: int | None = None
    least_place: int = 0
    greatest: int | None = None
    greatest_place: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """The counts of the latest half of a span, and of the half before it; None where that is not covered."""

    minutes: int  # of a half
    latest: int | None
    before: int | None


def change_of(
    selection: Selection, measure: Measure, unread: Collection[int] = (), first_event_by_ms: int | None = None
) -> Change:
    """The change within a selection. Halves are long enough that it does not flip with each minute.

    The half before is covered if the site had an event by its first minute: one that can be selected from, or one by
    `first_event_by_ms`.
    """
    span = selection.span
    half = span.minutes // 2
    halves = [Span(span.end_minute, half), Span(span.end_minute - half, half)]
    latest, before = (
        _count(selection.within(own), measure)
        if all(not own.first_minute <= minute < own.end_minute for minute in unread)
        else None
        for own in halves
    )
    first_minute, known = span.end_minute - 2 * half, selection.frame.minutes
    had_event = first_event_by_ms is not None and first_event_by_ms <= first_minute * MINUTE_MS
    is_covered = had_event or (len(known) > 0 and int(known[0]) <= first_minute)
    return Change(half, latest, before if is_covered else None)


def _count(selection: Selection, measure: Measure) -> int:
    return views(selection) if measure == "views" else distinct_visitors(selection)


def count_by(selection: Selection, step_minutes: int, measure: Measure, unread: Collection[int] = ()) -> Series:
    """The series of a selection. `unread` are the minutes with a segment that could not be read."""
    span = selection.span
    length = span.minutes // step_minutes
    first = span.end_minute - length * step_minutes
    spans = [Span(first + (place + 1) * step_minutes, step_minutes) for place in range(length)]
    counts: list[int | None] = [_count(selection.within(own), measure) for own in spans]
    for minute in unread:
        if first <= minute < span.end_minute:
            counts[(minute - first) // step_minutes] = None
    return Series(first, step_minutes, counts)


def buckets(selection: Selection, step_minutes: int) -> tuple[Array, int]:
    """The index of each event's bucket, negative before the first one; and the number of buckets."""
    length = selection.span.minutes // step_minutes
    first = selection.span.end_minute - length * step_minutes
    return (selection.minutes - first) // step_minutes, length


def describe(series: Series) -> Statistics:
    """The statistics of a series."""
    known = [(count, place) for place, count in enumerate(series.counts) if count is not None]
    if not known:
        return Statistics()
    least, greatest = min(known, key=lambda entry: (entry[0], -entry[1])), max(known)
    return Statistics(
        latest=series.counts[-1],
        mean=sum(count for count, _ in known) / len(known),
        least=least[0],
        least_place=least[1],
        greatest=greatest[0],
        greatest_place=greatest[1],
    )


def rolling_mean(counts: Sequence[int | None], length: int) -> list[float | None]:
    """For each bucket the mean of the `length` buckets up to it; None if one of them is unknown."""
    known = np.array([np.nan if count is None else count for count in counts], float)
    means: list[float | None] = [None] * min(length - 1, len(counts))
    if len(counts) >= length:
        sums = np.lib.stride_tricks.sliding_window_view(known, length).mean(axis=1)
        means += [None if np.isnan(mean) else float(mean) for mean in sums]
    return means
