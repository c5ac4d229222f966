"""Counts by stretches of minutes, and what is told of such a series. Pure.

Stretches are counted back from the end of the span, so that each is whole and none is still running.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.dashboard.explore.selection import Selection, Span, distinct_visitors, views
from services.dashboard.sources.segments import Array

Measure = Literal["views", "visitors"]


@dataclass(frozen=True, slots=True)
class Series:
    """A count for each stretch of `step_minutes`; None where a segment that belongs to it could not be read."""

    first_minute: int
    step_minutes: int
    counts: Sequence[int | None]

    def span(self, place: int) -> Span:
        """The minutes of one stretch."""
        return Span(self.first_minute + (place + 1) * self.step_minutes, self.step_minutes)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the stretches that are known; None where there are too few. `…_place` is a stretch, the last of equals."""

    latest: int | None = None
    mean: float | None = None
    least: int | None = None
    least_place: int = 0
    greatest: int | None = None
    greatest_place: int = 0
    change: int | None = None  # of the latest stretch to the one before
    before: int | None = None


def count_by(selection: Selection, step_minutes: int, measure: Measure, unread: Collection[int] = ()) -> Series:
    """The series of a selection. `unread` are the minutes of which a segment could not be read."""
    span = selection.span
    length = span.minutes // step_minutes
    first = span.end_minute - length * step_minutes
    spans = [Span(first + (place + 1) * step_minutes, step_minutes) for place in range(length)]
    count = views if measure == "views" else distinct_visitors
    counts: list[int | None] = [count(selection.within(stretch)) for stretch in spans]
    for minute in unread:
        if first <= minute < span.end_minute:
            counts[(minute - first) // step_minutes] = None
    return Series(first, step_minutes, counts)


def buckets(selection: Selection, step_minutes: int) -> tuple[Array, int]:
    """For each event the number of its stretch, negative where it is before the first; and how many there are."""
    length = selection.span.minutes // step_minutes
    first = selection.span.end_minute - length * step_minutes
    return (selection.minutes - first) // step_minutes, length


def describe(series: Series) -> Statistics:
    """What is told of a series."""
    known = [(count, place) for place, count in enumerate(series.counts) if count is not None]
    if not known:
        return Statistics()
    least, greatest = min(known, key=lambda entry: (entry[0], -entry[1])), max(known)
    latest = series.counts[-1]
    before = series.counts[-2] if len(series.counts) > 1 else None
    return Statistics(
        latest=latest,
        mean=sum(count for count, _ in known) / len(known),
        least=least[0],
        least_place=least[1],
        greatest=greatest[0],
        greatest_place=greatest[1],
        change=latest - before if latest is not None and before is not None else None,
        before=before,
    )


def rolling_mean(counts: Sequence[int | None], length: int) -> list[float | None]:
    """For each stretch the mean of it and those before, `length` in all; None where one of them is not known."""
    known = np.array([np.nan if count is None else count for count in counts], float)
    means: list[float | None] = [None] * min(length - 1, len(counts))
    if len(counts) >= length:
        sums = np.lib.stride_tricks.sliding_window_view(known, length).mean(axis=1)
        means += [None if np.isnan(mean) else float(mean) for mean in sums]
    return means
