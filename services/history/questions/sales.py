"""Figures of sales by bucket or by name, in one currency. Pure but for `run`.

All are sums, so they come from the rollups of sales where these have the question's names and the buckets consist of
whole minutes, else from the events that are sales.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.history.questions.counted import Counted, gone, rollup_dimension, without_minutes
from services.history.questions.dimensions import CURRENCY
from services.history.questions.mistake import Mistake
from services.history.questions.pieces import pieces_of
from services.history.questions.question import AMOUNTS, Filter, Metric, Question
from services.history.questions.question import SALES as METRICS
from services.history.questions.spans import Span
from services.history.questions.state import EVENTS, ROLLUPS, Run, State
from services.history.questions.statements import SALES, from_rollups, ranked, sales_from_events

_NO_CURRENCY = ""


async def sales_series(question: Question, spans: Sequence[Span], state: State, run: Run) -> Counted:
    """The figures of each span, by place; spans follow one another."""
    filters, metrics = _in_one_currency(question), _metrics(question)
    dimension = rollup_dimension(SALES, filters)
    pieces = None if dimension is None else pieces_of(spans)
    places = range(len(spans))
    known = set(places) if pieces is not None else set()
    found: dict[int, Sequence[Any]] = {}
    if pieces and dimension is not None:
        known -= without_minutes(pieces, state)
        found = {place: figures for place, _, *figures in await run(from_rollups(SALES, pieces, dimension, filters))}
    is_rolled = len(known) == len(spans)
    first = next((place for place in places if spans[place].start >= state.events_from), len(spans))
    if not is_rolled and first < len(spans):
        counted = await run(sales_from_events(spans[first:], first, filters))
        found |= {place: figures for place, _, *figures in counted if place not in known}
        known |= set(places[first:])
    notes = [] if len(known) == len(spans) else [f"sales: {state.events_gone}, so these are unknown before"]
    return Counted(
        figures=_by_metric(metrics, {place: found.get(place, ()) for place in known}),
        source=dict.fromkeys(metrics, ROLLUPS if is_rolled else EVENTS),
        notes=notes,
    )


async def sales_breakdown(question: Question, span: Span, state: State, run: Run) -> Counted:
    """The figures of the leading names. Raises Mistake if nothing that is kept tells them."""
    filters, metrics, by = _in_one_currency(question), _metrics(question), question.by
    assert by is not None, "a breakdown has a dimension"
    dimension = rollup_dimension(SALES, filters, by)
    pieces = None if dimension is None else pieces_of([span])
    is_rolled = bool(pieces) and not without_minutes(pieces or (), state)
    if is_rolled and pieces and dimension is not None:
        counted = from_rollups(SALES, pieces, dimension, filters, by)
    elif span.start >= state.events_from:
        counted = sales_from_events([span], 0, filters, by)
    else:
        raise gone(state)
    rows = await run(ranked(SALES, counted, metrics[0], question.limit))
    found = {name: figures for name, *figures, _ in rows}
    return Counted(
        figures=_by_metric(metrics, found),
        source=dict.fromkeys(metrics, ROLLUPS if is_rolled else EVENTS),
        names=list(found),
        more=rows[0][-1] - len(rows) if rows else 0,
    )


def currency_of(question: Question) -> str | None:
    """The currency of all amounts of the answer; None without sales, and where each row has its own."""
    if not question.sales or question.by == CURRENCY:
        return None
    return _in_one_currency(question)[-1].names[0]


def zero_of(metric: Metric) -> Any:
    """The figure of a name or bucket without sales."""
    return _shown(metric, None)


def _metrics(question: Question) -> list[Metric]:
    return [metric for metric in question.metrics if metric in METRICS]


def _in_one_currency(question: Question) -> Sequence[Filter]:
    """The filters, with one of the currency unless each row has its own. Raises Mistake."""
    asked = [own for own in question.filters if own.dimension == CURRENCY]
    others = [own for own in question.filters if own.dimension != CURRENCY]
    if question.by == CURRENCY:
        return question.filters
    names = tuple(dict.fromkeys(name for own in asked for name in own.names)) or (question.currency,)
    if len(names) > 1:
        raise Mistake("currency", "expected one, because amounts of several do not add up; or by=currency")
    if names == (question.currency,):
        names = (question.currency, _NO_CURRENCY)
    return (*others, Filter(CURRENCY, names))


def _by_metric(metrics: Sequence[Metric], found: Mapping[Any, Sequence[Any]]) -> dict[str, dict[Any, Any]]:
    places = {metric: list(SALES.sums).index(metric) for metric in metrics}
    return {
        metric: {key: _shown(metric, figures[place] if figures else None) for key, figures in found.items()}
        for metric, place in places.items()
    }


def _shown(metric: Metric, figure: Any) -> Any:
    if metric in AMOUNTS:
        return f"{(Decimal(0) if figure is None else figure).normalize():f}"
    return figure or 0
