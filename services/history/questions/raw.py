"""Counts raw events: in memory where all days of the span are there, else in SQL. Pure but for `run`.

The answers are equal, but memory is at least ten times as fast.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from services.history.columns.counting import count_by_events, count_spans
from services.history.columns.names import NameCount, count_names
from services.history.columns.segment import AGE, NONE, Segment
from services.history.columns.selection import Condition, Times
from services.history.questions.dimensions import Dimension
from services.history.questions.question import Distribution, Filter, Traffic
from services.history.questions.spans import Span
from services.history.questions.state import Run, State
from services.history.questions.statements import (
    TRAFFIC,
    Statement,
    by_age,
    by_events_per_visitor,
    from_events,
    ids_of,
    names_of,
    ranked,
)
from services.history.rows import name_digest

_STATEMENTS: Final[Mapping[Distribution, Callable[[Span, Sequence[Filter]], Statement]]] = {
    "age": by_age,
    "eventsPerVisitor": by_events_per_visitor,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Counts(NamedTuple):
    """Events, and their distinct visitors, which are None unless asked for."""

    views: int = 0
    visitors: int | None = 0


def is_in_memory(span: Span, state: State) -> bool:
    """Whether memory has all raw events of the span, and none is gone."""
    return span.start >= state.events_from and _in_memory(state, *_times(span)) is not None


async def span_counts(
    spans: Sequence[Span], filters: Sequence[Filter], state: State, run: Run, *, with_visitors: bool
) -> list[Counts]:
    """The counts of each span; they follow one another."""
    edges_ms = [_ms(span.start) for span in spans] + [_ms(spans[-1].end)]
    segments = _in_memory(state, edges_ms[0], edges_ms[-1])
    if segments is None:
        rows = await run(from_events(spans, filters, with_visitors=with_visitors))
        found = {place: Counts(views, visitors) for place, _, views, visitors, _ in rows}
        nothing = Counts(0, 0 if with_visitors else None)
        return [found.get(place, nothing) for place in range(len(spans))]
    conditions = await _conditions(filters, run)
    return [
        Counts(own.views, own.visitors)
        for own in await asyncio.to_thread(count_spans, segments, edges_ms, conditions, with_visitors=with_visitors)
    ]


async def name_counts(
    span: Span,
    by: Dimension,
    filters: Sequence[Filter],
    state: State,
    run: Run,
    *,
    first: Traffic,
    limit: int,
    with_visitors: bool,
) -> tuple[dict[str, Counts], int]:
    """The counts of the leading names, and how many names there are."""
    segments = _in_memory(state, *_times(span))
    if segments is None:
        counted = from_events([span], filters, by, with_visitors=with_visitors)
        rows = await run(ranked(TRAFFIC, counted, first, limit))
        return {name: Counts(views, visitors) for name, views, visitors, _, _ in rows}, rows[0][-1] if rows else 0
    conditions = await _conditions(filters, run)
    by_visitors = first == "visitors"
    found, total = await asyncio.to_thread(
        count_names,
        segments,
        _times(span),
        conditions,
        by.column,
        limit=limit,
        by_visitors=by_visitors,
        with_visitors=with_visitors,
    )
    names: dict[int, str] = dict(await run(names_of([own.value for own in found])))

    def rank(own: NameCount) -> tuple[int, bytes]:
        leads = own.visitors if by_visitors else own.views
        return -(leads or 0), names[own.value].encode()

    leading = sorted(found, key=rank)[:limit]
    return {names[own.value]: Counts(own.views, own.visitors) for own in leading}, total


async def distribution_counts(
    distribution: Distribution,
    span: Span,
    filters: Sequence[Filter],
    state: State,
    run: Run,
    *,
    with_visitors: bool,
) -> list[tuple[int | None, int, int]]:
    """Each number with its views and visitors, the smallest first; None, which is unknown, is the last.

    Visitors may be 0 unless `with_visitors`.
    """
    segments = _in_memory(state, *_times(span))
    if segments is None:
        return [
            (number, views, visitors) for number, views, visitors in await run(_STATEMENTS[distribution](span, filters))
        ]
    conditions = await _conditions(filters, run)
    if distribution == "eventsPerVisitor":
        numbers = await asyncio.to_thread(count_by_events, segments, _times(span), conditions)
        return [(number, number * visitors, visitors) for number, visitors in numbers]
    ages, _ = await asyncio.to_thread(
        count_names, segments, _times(span), conditions, AGE, with_visitors=with_visitors, with_none=True
    )
    listed = [(None if own.value == NONE else own.value, own.views, own.visitors or 0) for own in ages]
    return sorted(listed, key=lambda own: (own[0] is None, own[0] or 0))


def _in_memory(state: State, from_ms: int, until_ms: int) -> Sequence[Segment] | None:
    return None if state.columns is None else state.columns.segments(from_ms, until_ms)


async def _conditions(filters: Sequence[Filter], run: Run) -> list[Condition]:
    if not filters:
        return []
    digests = {name_digest(name) for own in filters for name in own.names}
    ids: dict[Any, int] = dict(await run(ids_of(list(digests))))
    return [
        Condition(
            own.dimension.column,
            [ids[digest] for digest in map(name_digest, own.names) if digest in ids],
            own.is_excluded,
        )
        for own in filters
    ]


def _times(span: Span) -> Times:
    return Times(_ms(span.start), _ms(span.end))


def _ms(instant: datetime) -> int:
    """The first whole millisecond that is not before the instant. Events happen at whole ones."""
    return -((_EPOCH - instant) // _MILLISECOND)
