"""How events spread over names, over visitors, over ages, and over names and time at once. Pure.

Everything is counted by numpy in one pass over the events, into tables of a bounded size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from services.dashboard.explore.selection import Selection
from services.dashboard.explore.series import Measure, buckets
from services.dashboard.sources.segments import Array

_EVENTS_FROM: Final = (1, 2, 3, 4, 5, 6, 11, 21, 51)
_AGES_FROM: Final = (0, 18, 25, 35, 45, 55, 65)
_OLDEST: Final = 150
_LARGEST_TABLE: Final = 2**25


@dataclass(frozen=True, slots=True)
class Ranked:
    """Names, those of most events first, each with its events and its distinct visitors."""

    names: Sequence[str]
    views: Sequence[int]
    visitors: Sequence[int]
    others: int  # names that are not among them


@dataclass(frozen=True, slots=True)
class Histogram:
    """Classes and how many are in each."""

    labels: Sequence[str]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True)
class Density:
    """Events by name (rows, those of most events first) and stretch of minutes (columns)."""

    names: Sequence[str]
    first_minute: int
    step_minutes: int
    counts: Array


def rank(selection: Selection, dimension: str, most: int) -> Ranked:
    """The `most` leading names of a dimension; ties go to the smaller name, as everywhere."""
    places, names, totals, others = _leading(selection, dimension, most)
    visitors = _distinct(places, selection.visitors, (len(names) + 1, selection.frame.visitors_known))[:-1]
    return Ranked(names, totals, visitors.tolist(), others)


def _distinct(places: Array, visitors: Array, shape: tuple[int, int]) -> Array:
    """How many different visitors there are at each place."""
    if shape[0] * shape[1] <= _LARGEST_TABLE:
        seen = np.zeros(shape, np.bool_)
        seen[places, visitors] = True
        return np.asarray(np.count_nonzero(seen, axis=1))
    # Many names of many visitors: sorting the pairs takes longer, and no more memory than the events.
    pairs = np.unique(places * shape[1] + visitors)
    return np.bincount(pairs // shape[1], minlength=shape[0])


def density(selection: Selection, dimension: str, step_minutes: int, most: int) -> Density:
    """Events of the `most` leading names by stretch of minutes."""
    places, names, _, _ = _leading(selection, dimension, most)
    stretches, length = buckets(selection, step_minutes)
    inside = stretches >= 0
    cells = (places * length + stretches)[inside]
    weights = None if selection.weights is None else selection.weights[inside]
    counts = np.bincount(cells, weights, (len(names) + 1) * length).reshape(len(names) + 1, length)[:-1]
    return Density(names, selection.span.end_minute - length * step_minutes, step_minutes, np.rint(counts).astype(int))


def _leading(selection: Selection, dimension: str, most: int) -> tuple[Array, list[str], list[int], int]:
    """The leading names with their events, and how many names there are beside them; first of all, for each event the
    place of its name among them. Events of other names, and of none, have the number of leading names.
    """
    names = selection.frame.names[dimension]
    codes = selection.codes(dimension)
    # One place more for an absent text: its code, -1, is the last.
    totals = np.rint(np.bincount(codes + 1, selection.weights, len(names) + 1)[1:]).astype(int).tolist()
    ranked = sorted((code for code, total in enumerate(totals) if total), key=lambda code: (-totals[code], names[code]))
    leading = ranked[:most]
    place = np.full(len(names) + 1, len(leading), np.int64)
    place[leading] = np.arange(len(leading))
    counts = [totals[code] for code in leading]
    return place[codes], [names[code] for code in leading], counts, len(ranked) - len(leading)


def events_per_visitor(selection: Selection) -> Histogram:
    """How many visitors have one event, two, and so on."""
    events = np.bincount(selection.visitors, minlength=1)
    counts = _classes(events[events > 0], _EVENTS_FROM)
    return Histogram(_labels(_EVENTS_FROM), counts.tolist())


def ages(selection: Selection, measure: Measure) -> Histogram:
    """Events, or distinct visitors, by age; the last class is of unknown age."""
    length = len(_AGES_FROM) + 1
    of_age = np.searchsorted(_AGES_FROM, np.arange(_OLDEST + 1), "right") - 1
    classes = np.append(of_age, length - 1)[np.minimum(selection.frame.ages[selection.rows], _OLDEST)]  # unknown is -1
    if measure == "views":
        counts = np.rint(np.bincount(classes, selection.weights, length)).astype(int)
    else:
        seen = np.zeros((length, selection.frame.visitors_known), np.bool_)
        seen[classes, selection.visitors] = True
        counts = np.count_nonzero(seen, axis=1)
    return Histogram(["under 18", *_labels(_AGES_FROM)[1:], "unknown"], counts.tolist())


def _classes(values: Array, starts: Sequence[int]) -> Array:
    return np.bincount(np.searchsorted(starts, values, "right") - 1, minlength=len(starts))


def _labels(starts: Sequence[int]) -> list[str]:
    closed = [f"{start}" if end == start + 1 else f"{start}–{end - 1}" for start, end in pairwise(starts)]
    return [*closed, f"{starts[-1]}+"]
