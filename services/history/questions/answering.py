"""Answers a question: the window that is asked about, and the one to compare with. Pure but for `run`."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from services.history.columns.days import Columns
from services.history.questions.counting import breakdown, series
from services.history.questions.distributions import distribution
from services.history.questions.latest import latest_events
from services.history.questions.mistake import Mistake
from services.history.questions.question import Filter, Question
from services.history.questions.spans import MINUTE, Span, buckets, floored
from services.history.questions.state import EVENTS, Part, Row, Run, State, read_state
from services.history.questions.windows import Window, compared, iso

REALTIME_MINUTES: Final = (5, 15, 30, 60)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    question: Question
    state: State
    asked: Part
    earlier: Part | None = None  # of the window to compare with


async def answer(question: Question, now: datetime, run: Run, columns: Columns | None = None) -> Answer:
    """The answer to a question at an instant. Raises Mistake, and what `run` raises.

    `columns` are the raw events that are in memory, on the snapshot of `run`.
    """
    state = await read_state(run, columns)
    asked = await _part(question, question.window, state, now, run)
    if question.compare is None:
        return Answer(question, state, asked)
    # What is still running is compared with as much of the earlier window; the curve of that one goes on.
    until = None if question.kind == "timeseries" else floored(now, MINUTE)
    window, narrowed = compared(question.window, question.compare, until), question
    if question.by is not None:
        names = tuple(row["name"] for row in asked.rows)
        narrowed = replace(question, filters=(*question.filters, Filter(question.by, names)))
    try:
        earlier = await _part(narrowed, window, state, now, run)
    except Mistake as gone:
        earlier = Part(window, [], notes=[gone.message])
    return Answer(question, state, asked, earlier)


async def _part(question: Question, window: Window, state: State, now: datetime, run: Run) -> Part:
    match question.kind:
        case "aggregate":
            return await series(question, window, [window.span], state, run)
        case "timeseries":
            spans = buckets(window.span, window.interval, window.zone)
            counted = await series(question, window, spans, state, run)
            rows = [{**_bounds(span), **row} for span, row in zip(spans, counted.rows, strict=True)]
            return replace(counted, rows=rows)
        case "breakdown" if question.distribution is not None:
            return await distribution(question, window, state, run)
        case "breakdown":
            return await breakdown(question, window, state, run)
        case "realtime":
            return await _realtime(question, window, now, state, run)
        case "events":
            events = await latest_events(window.span, state, question.filters, question.limit, run)
            notes = [state.events_gone] if window.span.start < state.events_from else []
            return Part(window, events, {"rows": EVENTS}, notes)


async def _realtime(question: Question, window: Window, now: datetime, state: State, run: Run) -> Part:
    """A row for each of the latest spans, which end now."""
    spans = {minutes: Span(now - minutes * MINUTE, now) for minutes in REALTIME_MINUTES}
    parts = {minutes: await series(question, window, [span], state, run) for minutes, span in spans.items()}
    longest = REALTIME_MINUTES[-1]
    rows: list[Row] = [{"minutes": minutes, **part.rows[0]} for minutes, part in parts.items()]
    return replace(parts[longest], window=window._replace(span=spans[longest]), rows=rows)


def _bounds(span: Span) -> dict[str, Any]:
    return {"from": iso(span.start), "to": iso(span.end)}
