"""Counts by bucket or by name: which tables they need, and what their rows mean. Pure but for `run`.

Views come from the rollups where these have the question's names and the buckets consist of whole minutes, else from
raw events. Distinct visitors come from a single row of the rollups or from raw events, never from a sum.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from services.history.questions.dimensions import SITE, Dimension
from services.history.questions.mistake import Mistake
from services.history.questions.pieces import DAYS, MINUTES, Piece, pieces_of
from services.history.questions.question import Filter, Question
from services.history.questions.spans import Span
from services.history.questions.state import BY_DAY, EVENTS, ROLLUPS, Part, Run, State
from services.history.questions.statements import from_events, from_rollups, ranked
from services.history.questions.windows import Window, iso

_EVERY_EVENT: Final = "all"
"""The dimension of the rollups that counts each event once."""


class _Count(NamedTuple):
    views: int = 0
    visitors: int = 0
    parts: int = 0  # how many rows `visitors` is the sum of


_NONE: Final = _Count()


async def series(question: Question, window: Window, spans: Sequence[Span], state: State, run: Run) -> Part:
    """A row for each span; they follow one another. A count is None where nothing that is kept tells it."""
    filters, metrics = question.filters, question.metrics
    places = range(len(spans))
    dimension = _rollup_dimension(filters)
    pieces = None if dimension is None else pieces_of(spans)
    rolled: dict[int, _Count] = {}
    in_rollups = set(places) if pieces is not None else set()
    if pieces and dimension is not None:
        in_rollups -= _without_minutes(pieces, state)
        rows = await run(from_rollups(pieces, dimension, filters))
        rolled = {place: _Count(*counts) for place, _, *counts in rows}
    is_exact = len(in_rollups) == len(spans) and _are_single_rows(pieces or (), rolled.values())
    views = {place: rolled.get(place, _NONE).views for place in in_rollups}
    visitors = {place: rolled.get(place, _NONE).visitors for place in in_rollups if is_exact}
    first = next((place for place in places if spans[place].start >= state.events_from), len(spans))
    if first < len(spans) and (len(views) < len(spans) or ("visitors" in metrics and not is_exact)):
        statement = from_events(spans[first:], first, filters, with_visitors="visitors" in metrics)
        counted = {place: _Count(views, visitors) for place, _, views, visitors, _ in await run(statement)}
        for place in places[first:]:
            views.setdefault(place, counted.get(place, _NONE).views)
            visitors.setdefault(place, counted.get(place, _NONE).visitors)
    found = {"views": views, "visitors": visitors}
    rows_found: list[dict[str, Any]] = [{metric: found[metric].get(place) for metric in metrics} for place in places]
    lacks_visitors = "visitors" in metrics and len(visitors) < len(spans)
    if lacks_visitors:
        by_day = in_rollups - {piece.place for piece in pieces or () if piece.table != DAYS}
        for place, row in enumerate(rows_found):
            row["visitor_days"] = rolled.get(place, _NONE).visitors if place in by_day else None
    source = {
        "views": ROLLUPS if len(in_rollups) == len(spans) else EVENTS,
        "visitors": ROLLUPS if is_exact else EVENTS if visitors else BY_DAY,
    }
    notes = []
    if "views" in metrics and len(views) < len(spans):
        notes.append(f"views: {state.events_gone}, so these are unknown before")
    if lacks_visitors:
        notes.append(_by_day(state))
    return Part(window, rows_found, {metric: source[metric] for metric in metrics}, notes)


async def breakdown(question: Question, window: Window, state: State, run: Run) -> Part:
    """A row for each of the leading names. Raises Mistake if nothing that is kept tells them."""
    filters, metrics, by = question.filters, question.metrics, question.by
    assert by is not None, "a breakdown has a dimension"
    dimension = _rollup_dimension(filters, by)
    pieces = None if dimension is None else pieces_of([window.span])
    has_events = window.span.start >= state.events_from
    is_known = pieces is not None and not _without_minutes(pieces, state)
    if not is_known and not has_events:
        expected = f"expected {iso(state.events_from)} or later"
        raise Mistake("from", f"{state.events_gone}, and no rollup has these names; {expected}")
    if pieces and dimension is not None and is_known:
        needs_exact = "visitors" in metrics and has_events
        if not needs_exact or _are_single_rows(pieces, ()):
            rows = await run(ranked(from_rollups(pieces, dimension, filters, by), metrics[0], question.limit))
            is_exact = _are_single_rows(pieces, [_Count(*counts) for _, *counts, _ in rows])
            if is_exact or not needs_exact:
                has_days = all(piece.table == DAYS for piece in pieces)
                source = ROLLUPS if is_exact else BY_DAY
                return _ranked(window, question, rows, state, visitors=source, has_days=has_days)
    statement = from_events([window.span], 0, filters, by, with_visitors="visitors" in metrics)
    rows = await run(ranked(statement, metrics[0], question.limit))
    return _ranked(window, question, rows, state, visitors=EVENTS)


def _ranked(
    window: Window,
    question: Question,
    rows: Sequence[tuple[Any, ...]],
    state: State,
    *,
    visitors: str,
    has_days: bool = False,
) -> Part:
    """The part of rows of `ranked`. `visitors` says where those are from; with `has_days`, whole days are added up."""
    metrics = question.metrics
    found: list[dict[str, Any]] = []
    for name, *counts, _ in rows:
        own = _Count(*counts)
        row: dict[str, Any] = {"name": name}
        for metric in metrics:
            row[metric] = own.views if metric == "views" else None if visitors == BY_DAY else own.visitors
        if visitors == BY_DAY and "visitors" in metrics:
            row["visitor_days"] = own.visitors if has_days else None
        found.append(row)
    source = {"views": EVENTS if visitors == EVENTS else ROLLUPS, "visitors": visitors}
    notes = [_by_day(state)] if visitors == BY_DAY and "visitors" in metrics else []
    more = rows[0][-1] - len(rows) if rows else 0
    return Part(window, found, {metric: source[metric] for metric in metrics}, notes, more)


def _rollup_dimension(filters: Iterable[Filter], by: Dimension | None = None) -> str | None:
    """The dimension of the rollups that has what is asked: at most one beside the site. None if there is none."""
    asked = {own.dimension for own in filters} | ({by} if by is not None else set())
    match list(asked - {SITE}):
        case []:
            return _EVERY_EVENT
        case [dimension]:
            return dimension.rollup
        case _:
            return None


def _without_minutes(pieces: Iterable[Piece], state: State) -> set[int]:
    """The places that need rollups of minutes which are gone."""
    return {piece.place for piece in pieces if piece.table == MINUTES and piece.span.start < state.minutes_from}


def _are_single_rows(pieces: Sequence[Piece], counts: Iterable[_Count]) -> bool:
    """Whether each count is that of one row of the rollups: visitors of several sites or names are in several rows."""
    places = [piece.place for piece in pieces]
    return (
        len(set(places)) == len(places)
        and all(piece.is_one_row for piece in pieces)
        and all(count.parts <= 1 for count in counts)
    )


def _by_day(state: State) -> str:
    return (
        f"visitors: {state.events_gone}, so distinct visitors before are known by day alone; visitor_days adds up "
        "those of each day (UTC), site and name, and counts a visitor again on each"
    )
