"""Counts events and exact distinct visitors by name. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.history.columns.segment import NONE, Segment
from services.history.columns.selection import Condition, Selection, Times, most_visitors, selected
from services.history.columns.visitor_sets import count_together
from services.history.columns.whole import MOST_VALUES, views_of, visitors_of

_MOST_PLACES: Final = 1 << 27
"""Of a table of visitors by name, a byte each. More names are counted in several passes."""
_MOST_PASSES: Final = 8

Ids = NDArray[np.int64]
Figures = NDArray[np.int64]


class NameCount(NamedTuple):
    """Those of one value of a column. Visitors are unknown unless they were asked for."""

    value: int
    views: int
    visitors: int | None


def count_names(
    segments: Sequence[Segment],
    times: Times,
    conditions: Sequence[Condition],
    column: str,
    *,
    limit: int | None = None,
    by_visitors: bool = False,
    with_visitors: bool = True,
    with_none: bool = False,
) -> tuple[list[NameCount], int]:
    """The leading values of a column, and how many it has. NONE is one only `with_none`.

    Leading by views, or `by_visitors`. All that are equal to the last of `limit` are among them: the caller knows what
    comes first. The order is that of views.
    """
    selections = list(selected(segments, times, conditions))
    values, views = _views(selections, column, with_none=with_none)

    def visitors(first: int, last: int) -> Figures:
        return _visitors(selections, column, values[first:last])

    if by_visitors:
        counted = _leading_visitors(views, visitors, limit)
        leading = np.flatnonzero(counted >= _least(counted, limit))
        people: Sequence[int | None] = counted[leading].tolist()
    else:
        leading = np.flatnonzero(views >= _least(views, limit))
        people = visitors(0, len(leading)).tolist() if with_visitors else [None] * len(leading)
    listed = zip(values[leading].tolist(), views[leading].tolist(), people, strict=True)
    return [NameCount(*own) for own in listed], len(values)


def _views(selections: Sequence[Selection], column: str, *, with_none: bool) -> tuple[Ids, Figures]:
    """The values that have events, and how many, the most first."""
    in_each = [own.segment.columns[column].values for own in selections]
    values = np.unique(np.concatenate([np.empty(0, np.int64), *in_each]))
    views = np.zeros(len(values), np.int64)
    for selection, own in zip(selections, in_each, strict=True):
        views[np.searchsorted(values, own)] += (
            views_of(selection.segment, column)
            if selection.is_whole
            else np.bincount(selection.of(selection.segment.columns[column].codes), minlength=len(own))
        )
    counts = (views > 0) & (with_none | (values != NONE))
    values, views = values[counts], views[counts]
    order = np.argsort(-views, kind="stable")
    return values[order], views[order]


def _least(figures: Figures, limit: int | None) -> int:
    """The figure of the last of the leading ones."""
    if limit is None or len(figures) <= limit:
        return 0
    return int(np.partition(figures, -limit)[-limit])


def _leading_visitors(views: Figures, visitors: Callable[[int, int], Figures], limit: int | None) -> Figures:
    """The visitors of the first names, which are those that can lead: a name has at most as many visitors as views."""
    counted = np.empty(0, np.int64)
    wanted = len(views) if limit is None else min(len(views), 2 * limit)
    while len(counted) < wanted:
        counted = np.concatenate([counted, visitors(len(counted), wanted)])
        wanted = int(np.count_nonzero(views >= max(1, _least(counted, limit))))
    return counted


def _visitors(selections: Sequence[Selection], name: str, values: Ids) -> Figures:
    """How many distinct visitors each of these values has, which differ."""
    places = most_visitors([own.segment for own in selections])
    at_once = max(1, _MOST_PLACES // places)
    if at_once * _MOST_PASSES < len(values):
        return _visitors_by_sorting(selections, name, values, places)
    keeps = len(values) <= MOST_VALUES
    whole = [own.segment for own in selections if keeps and own.is_whole]
    others = [own for own in selections if not (keeps and own.is_whole)]
    passes = [values[first : first + at_once] for first in range(0, len(values), at_once)]
    return np.array(
        [number for own in passes for number in _visitors_by_marking(whole, others, name, own, places)], np.int64
    )


def _visitors_by_marking(
    whole: Sequence[Segment], others: Sequence[Selection], name: str, values: Ids, places: int
) -> Iterator[int]:
    marks = np.zeros((len(values) + 1) * places, np.bool_)
    for keys in _keys(others, name, values, places):
        marks[keys] = True
    sets = [visitors_of(own, name, values.tolist()) for own in whole]
    for place, own in enumerate(marks.reshape(-1, places)[:-1]):
        yield count_together(own, [found[place] for found in sets])


def _visitors_by_sorting(selections: Sequence[Selection], name: str, values: Ids, places: int) -> Figures:
    keys = np.unique(np.concatenate([np.unique(own) for own in _keys(selections, name, values, places)]))
    return np.bincount(keys // places, minlength=len(values) + 1)[:-1]


def _keys(selections: Sequence[Selection], name: str, values: Ids, places: int) -> Iterator[Figures]:
    """A number for each event, which the place of its value among these and its visitor make up.

    All other values have the place after the last: to sort these events out would take longer than to mark them.
    """
    order = np.argsort(values)
    in_order = values[order]
    for selection in selections:
        column = selection.codes(name)
        found = np.minimum(np.searchsorted(in_order, column.values), len(values) - 1)
        place = np.where(in_order[found] == column.values, order[found], len(values))
        # Codes as indices first: numpy looks up narrow ones half as fast.
        starts = (place * places)[column.codes.astype(np.intp)]
        yield np.add(starts, selection.visitors, out=starts, casting="unsafe")
