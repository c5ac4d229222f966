"""Rows of figures: those of traffic, sales and sessions side by side. Pure but for `run`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from services.history.questions.counted import Counted
from services.history.questions.mistake import Mistake
from services.history.questions.question import SALES, SESSIONS, TRAFFIC, Filter, Metric, Question
from services.history.questions.sales import sales_breakdown, sales_series, zero_of
from services.history.questions.sessions import sessions_breakdown, sessions_series, zero_of_sessions
from services.history.questions.spans import Span
from services.history.questions.state import Part, Run, State
from services.history.questions.traffic import traffic_breakdown, traffic_series
from services.history.questions.windows import Window

_VISITOR_DAYS: Final = "visitor_days"


class _Family(NamedTuple):
    """Figures that are counted together."""

    metrics: tuple[Metric, ...]
    breakdown: Callable[[Question, Span, State, Run], Awaitable[Counted]]
    zero_of: Callable[[Metric], Any]  # of a name without any


_FAMILIES: Final = (
    _Family(TRAFFIC, traffic_breakdown, zero_of),
    _Family(SALES, sales_breakdown, zero_of),
    _Family(SESSIONS, sessions_breakdown, zero_of_sessions),
)


async def series(question: Question, window: Window, spans: Sequence[Span], state: State, run: Run) -> Part:
    """A row for each span; they follow one another. A figure is None where nothing that is kept tells it."""
    parts = []
    if question.traffic:
        parts.append(await traffic_series(question, spans, state, run))
    if question.sales:
        parts.append(await sales_series(question, spans, state, run))
    if question.sessions:
        parts.append(await sessions_series(question, spans, state, run))
    rows = [_row(question, parts, place) for place in range(len(spans))]
    return _part(question, window, rows, parts)


async def breakdown(question: Question, window: Window, state: State, run: Run) -> Part:
    """A row for each of the leading names. Raises Mistake if nothing that is kept tells them."""
    assert question.by is not None, "a breakdown has a dimension"
    asked = [family for family in _FAMILIES if set(family.metrics).intersection(question.metrics)]
    first, *others = sorted(asked, key=lambda family: question.metrics[0] not in family.metrics)
    leading = await first.breakdown(question, window.span, state, run)
    parts = [leading]
    narrowed = replace(question, filters=(*question.filters, Filter(question.by, tuple(leading.names))))
    zeros: dict[str, dict[Any, Any]] = {}
    for family in others:
        try:
            part = await family.breakdown(narrowed, window.span, state, run)
        except Mistake as gone:
            part = Counted(figures={}, source={}, notes=[gone.message])
        parts.append(part)
        if part.figures:
            for name in set(leading.names).difference(part.names):
                own = {metric: family.zero_of(metric) for metric in question.metrics if metric in family.metrics}
                zeros.setdefault(name, {}).update(own)
    rows = [{"name": name, **_row(question, parts, name), **zeros.get(name, {})} for name in leading.names]
    return replace(_part(question, window, rows, parts), more=leading.more)


def _row(question: Question, parts: Sequence[Counted], key: Any) -> dict[str, Any]:
    figures = {name: known for part in parts for name, known in part.figures.items()}
    row: dict[str, Any] = {metric: figures.get(metric, {}).get(key) for metric in question.metrics}
    if _VISITOR_DAYS in figures:
        row[_VISITOR_DAYS] = figures[_VISITOR_DAYS].get(key)
    return row


def _part(question: Question, window: Window, rows: Sequence[dict[str, Any]], parts: Sequence[Counted]) -> Part:
    source = {metric: origin for part in parts for metric, origin in part.source.items()}
    notes = [note for part in parts for note in part.notes]
    return Part(window, rows, {metric: source[metric] for metric in question.metrics if metric in source}, notes)
