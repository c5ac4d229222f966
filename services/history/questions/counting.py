"""Rows of figures: those of traffic and of sales side by side. Pure but for `run`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from services.history.questions.counted import Counted
from services.history.questions.mistake import Mistake
from services.history.questions.question import SALES, Filter, Question
from services.history.questions.sales import sales_breakdown, sales_series, zero_of
from services.history.questions.spans import Span
from services.history.questions.state import Part, Run, State
from services.history.questions.traffic import traffic_breakdown, traffic_series
from services.history.questions.windows import Window

_VISITOR_DAYS: Final = "visitor_days"


async def series(question: Question, window: Window, spans: Sequence[Span], state: State, run: Run) -> Part:
    """A row for each span; they follow one another. A figure is None where nothing that is kept tells it."""
    parts = []
    if question.traffic:
        parts.append(await traffic_series(question, spans, state, run))
    if question.sales:
        parts.append(await sales_series(question, spans, state, run))
    rows = [_row(question, parts, place) for place in range(len(spans))]
    return _part(question, window, rows, parts)


async def breakdown(question: Question, window: Window, state: State, run: Run) -> Part:
    """A row for each of the leading names. Raises Mistake if nothing that is kept tells them."""
    by, leads_sales = question.by, question.metrics[0] in SALES
    assert by is not None, "a breakdown has a dimension"
    lead, follow = (sales_breakdown, traffic_breakdown) if leads_sales else (traffic_breakdown, sales_breakdown)
    leading = await lead(question, window.span, state, run)
    parts = [leading]
    if question.traffic and question.sales:
        narrowed = replace(question, filters=(*question.filters, Filter(by, tuple(leading.names))))
        try:
            parts.append(await follow(narrowed, window.span, state, run))
        except Mistake as gone:
            parts.append(Counted(figures={}, source={}, notes=[gone.message]))
    rows = [{"name": name, **_row(question, parts, name)} for name in leading.names]
    if len(parts) > 1 and parts[1].figures:
        absent = set(leading.names).difference(parts[1].names)
        metrics = [metric for metric in question.metrics if (metric in SALES) != leads_sales]
        for row in rows:
            if row["name"] in absent:
                row |= {metric: zero_of(metric) for metric in metrics}
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
