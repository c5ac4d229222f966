"""Views and visitors by bucket or by name: which tables they need, and what their rows mean. Pure but for `run`.

Views come from the rollups where these have the question's names and the buckets consist of whole minutes, else from
raw events. Distinct visitors come from a single row of the rollups or from raw events, never from a sum.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from services.history.questions.counted import Counted, gone, rollup_dimension, without_minutes
from services.history.questions.pieces import DAYS, pieces_of
from services.history.questions.question import Question, Traffic
from services.history.questions.raw import is_in_memory, name_counts, span_counts
from services.history.questions.spans import Span
from services.history.questions.state import BY_DAY, EVENTS, ROLLUPS, Run, State
from services.history.questions.statements import TRAFFIC, from_rollups, ranked


class _Count(NamedTuple):
    views: int = 0
    visitors: int = 0
    parts: int = 0  # how many rows `visitors` is the sum of


_NONE: Final = _Count()


async def traffic_series(question: Question, spans: Sequence[Span], state: State, run: Run) -> Counted:
    """The figures of each span, by place; spans follow one another."""
    filters, metrics = question.filters, _metrics(question)
    places = range(len(spans))
    dimension = rollup_dimension(TRAFFIC, filters)
    pieces = None if dimension is None else pieces_of(spans)
    rolled: dict[int, _Count] = {}
    in_rollups = set(places) if pieces is not None else set()
    if pieces and dimension is not None:
        in_rollups -= without_minutes(pieces, state)
        rows = await run(from_rollups(TRAFFIC, pieces, dimension, filters))
        rolled = {place: _Count(*counts) for place, _, *counts in rows}
    is_exact = len(in_rollups) == len(spans) and _are_exact(rolled.values())
    views = {place: rolled.get(place, _NONE).views for place in in_rollups}
    visitors = {place: rolled.get(place, _NONE).visitors for place in in_rollups if is_exact}
    first = next((place for place in places if spans[place].start >= state.events_from), len(spans))
    if first < len(spans) and (len(views) < len(spans) or ("visitors" in metrics and not is_exact)):
        counted = await span_counts(spans[first:], filters, state, run, with_visitors="visitors" in metrics)
        for place in places[first:]:
            own = counted[place - first]
            views.setdefault(place, own.views)
            visitors.setdefault(place, own.visitors or 0)
    figures = {"views": views, "visitors": visitors}
    notes = []
    if "views" in metrics and len(views) < len(spans):
        notes.append(f"views: {state.events_gone}, so these are unknown before")
    if "visitors" in metrics and len(visitors) < len(spans):
        by_day = in_rollups - {piece.place for piece in pieces or () if piece.unit != DAYS}
        figures["visitor_days"] = {place: rolled.get(place, _NONE).visitors for place in by_day}
        notes.append(_by_day(state))
    source = {
        "views": ROLLUPS if len(in_rollups) == len(spans) else EVENTS,
        "visitors": ROLLUPS if is_exact else EVENTS if visitors else BY_DAY,
    }
    return Counted(figures=figures, source={metric: source[metric] for metric in metrics}, notes=notes)


async def traffic_breakdown(question: Question, span: Span, state: State, run: Run) -> Counted:
    """The figures of the leading names. Raises Mistake if nothing that is kept tells them."""
    filters, metrics, by = question.filters, _metrics(question), question.by
    assert by is not None, "a breakdown has a dimension"
    dimension = rollup_dimension(TRAFFIC, filters, by)
    pieces = None if dimension is None else pieces_of([span])
    if pieces is not None and len(pieces) > 1 and "visitors" in metrics and is_in_memory(span, state):
        pieces = None  # visitors need the events then, and memory counts the views with them
    has_events = span.start >= state.events_from
    is_known = pieces is not None and not without_minutes(pieces, state)
    if not is_known and not has_events:
        raise gone(state)
    if pieces and dimension is not None and is_known:
        counted = from_rollups(TRAFFIC, pieces, dimension, filters, by)
        rows = await run(ranked(TRAFFIC, counted, metrics[0], question.limit))
        is_exact = _are_exact(_Count(*counts) for _, *counts, _ in rows)
        if is_exact or "visitors" not in metrics or not has_events:
            has_days = all(piece.unit == DAYS for piece in pieces)
            return _ranked(metrics, rows, state, visitors=ROLLUPS if is_exact else BY_DAY, has_days=has_days)
    named, total = await name_counts(
        span,
        by,
        filters,
        state,
        run,
        first=metrics[0],
        limit=question.limit,
        with_visitors="visitors" in metrics,
    )
    listed = [(name, own.views, own.visitors or 0, 1, total) for name, own in named.items()]
    return _ranked(metrics, listed, state, visitors=EVENTS)


def _metrics(question: Question) -> list[Traffic]:
    return [metric for metric in question.metrics if metric == "views" or metric == "visitors"]


def _ranked(
    metrics: Sequence[Traffic], rows: Sequence[tuple[Any, ...]], state: State, *, visitors: str, has_days: bool = False
) -> Counted:
    """What rows of `ranked` tell. `visitors` says where those are from; with `has_days`, whole days are added up."""
    found = {name: _Count(*counts) for name, *counts, _ in rows}
    known = {name: own.visitors for name, own in found.items()}
    figures = {
        "views": {name: own.views for name, own in found.items()},
        "visitors": {} if visitors == BY_DAY else known,
    }
    notes = []
    if visitors == BY_DAY and "visitors" in metrics:
        figures["visitor_days"] = known if has_days else {}
        notes.append(_by_day(state))
    source = {"views": EVENTS if visitors == EVENTS else ROLLUPS, "visitors": visitors}
    return Counted(
        figures=figures,
        source={metric: source[metric] for metric in metrics},
        notes=notes,
        names=list(found),
        more=rows[0][-1] - len(rows) if rows else 0,
    )


def _are_exact(counts: Iterable[_Count]) -> bool:
    """Whether each count is of one row of the rollups: visitors of several buckets, sites or names may be the same."""
    return all(count.parts <= 1 for count in counts)


def _by_day(state: State) -> str:
    return (
        f"visitors: {state.events_gone}, so distinct visitors before are known by day alone; visitor_days adds up "
        "those of each day (UTC), site and name, and counts a visitor again on each"
    )
