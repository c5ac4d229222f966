"""The distribution of events over names, visitors, ages, and names by time. Pure.

Numpy counts each in one pass over the events, into tables of bounded size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from services.dashboard.explore.counting.selection import Selection
from services.dashboard.explore.counting.series import Measure, buckets
from services.dashboard.sources.segments import Array

EVENTS_FROM: Final = (1, 2, 3, 4, 5, 6, 11, 21, 51)
AGES_FROM: Final = (0, 18, 25, 35, 45, 55, 65)
"""Where the classes of the histograms begin."""

_OLDEST: Final = 150
_LARGEST_TABLE: Final = 2**25


@dataclass(frozen=True, slots=True)
class Ranked:
    """Names with their events and distinct visitors, most events first."""

    names: Sequence[str]
    views: Sequence[int]
    visitors: Sequence[int]
    others: int  # number of further names


@dataclass(frozen=True, slots=True)
class Histogram:
    """Classes and their counts."""

    labels: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Density:
    """Events by name (rows, most events first) and bucket of minutes (columns)."""

    names: Sequence[str]
    first_minute: int
    step_minutes: int
    counts: Array


def rank(selection: Selection, dimension: str, most: int) -> Ranked:
    """The `most` leading names of a dimension; on a tie the smaller name comes first."""
    places, names, totals, others = _leading(selection, dimension, most)
    visitors = _distinct(places, selection.visitors, (len(names) + 1, selection.frame.visitors_known))[:-1]
    return Ranked(names, totals, visitors.tolist(), others)


def _distinct(places: Array, visitors: Array, shape: tuple[int, int]) -> Array:
    """The number of distinct visitors at each place."""
    if shape[0] * shape[1] <= _LARGEST_TABLE:
        seen = np.zeros(shape, np.bool_)
        seen[places, visitors] = True
        return np.asarray(np.count_nonzero(seen, axis=1))
    # Many names and many visitors: sorting the pairs takes longer, but no more memory than the events.
    pairs = np.unique(places * shape[1] + visitors)
    return np.bincount(pairs // shape[1], minlength=shape[0])


def density(selection: Selection, dimension: str, step_minutes: int, most: int) -> Density:
    """Events of the `most` leading names by bucket of minutes."""
    places, names, _, _ = _leading(selection, dimension, most)
    own_buckets, length = buckets(selection, step_minutes)
    inside = own_buckets >= 0
    cells = (places * length + own_buckets)[inside]
    weights = None if selection.weights is None else selection.weights[inside]
    counts = np.bincount(cells, weights, (len(names) + 1) * length).reshape(len(names) + 1, length)[:-1]
    return Density(names, selection.span.end_minute - length * step_minutes, step_minutes, np.rint(counts).astype(int))


def _leading(selection: Selection, dimension: str, most: int) -> tuple[Array, list[str], list[int], int]:
    """For each event the rank of its name; then the leading names, their events, and the number of further names.

    Events of a further name or of none have the number of leading names as rank.
    """
    names = selection.frame.names[dimension]
    codes = selection.codes(dimension)
    # One entry more for an absent text, whose code is -1.
    totals = np.rint(np.bincount(codes + 1, selection.weights, len(names) + 1)[1:]).astype(int).tolist()
    ranked = sorted((code for code, total in enumerate(totals) if total), key=lambda code: (-totals[code], names[code]))
    leading = ranked[:most]
    place = np.full(len(names) + 1, len(leading), np.int64)
    place[leading] = np.arange(len(leading))
    counts = [totals[code] for code in leading]
    return place[codes], [names[code] for code in leading], counts, len(ranked) - len(leading)


def events_per_visitor(selection: Selection) -> Histogram:
    """The number of visitors with one event, two, and so on."""
    events = np.bincount(selection.visitors, minlength=1)
    counts = _classes(events[events > 0], EVENTS_FROM)
    return Histogram(EVENT_LABELS, counts.tolist())


def ages(selection: Selection, measure: Measure) -> Histogram:
    """Events or distinct visitors by age; the last class is the unknown ages."""
    length = len(AGES_FROM) + 1
    of_age = np.searchsorted(AGES_FROM, np.arange(_OLDEST + 1), "right") - 1
    classes = np.append(of_age, length - 1)[np.minimum(selection.frame.ages[selection.rows], _OLDEST)]  # unknown is -1
    if measure == "views":
        counts = np.rint(np.bincount(classes, selection.weights, length)).astype(int)
    else:
        seen = np.zeros((length, selection.frame.visitors_known), np.bool_)
        seen[classes, selection.visitors] = True
        counts = np.count_nonzero(seen, axis=1)
    return Histogram(AGE_LABELS, counts.tolist())


def _classes(values: Array, starts: Sequence[int]) -> Array:
    return np.bincount(np.searchsorted(starts, values, "right") - 1, minlength=len(starts))


def _labels(starts: Sequence[int]) -> list[str]:
    closed = [f"{start}" if end == start + 1 else f"{start}–{end - 1}" for start, end in pairwise(starts)]
    return [*closed, f"{starts[-1]}+"]


EVENT_LABELS: Final = _labels(EVENTS_FROM)
AGE_LABELS: Final = ["under 18", *_labels(AGES_FROM)[1:], "unknown"]
