"""How events and visitors are distributed over numbers, as Explore's histograms. Pure but for `run`."""

from typing import Final

from services.history.questions.mistake import Mistake
from services.history.questions.question import Question
from services.history.questions.raw import distribution_counts
from services.history.questions.state import EVENTS, Part, Run, State
from services.history.questions.windows import Window, iso

_UNKNOWN: Final = "unknown"


async def distribution(question: Question, window: Window, state: State, run: Run) -> Part:
    """A row for each number, the smallest first. Raises Mistake if raw events are gone, or for other figures."""
    if question.sales or question.sessions:
        raise Mistake("metrics", f"expected views and visitors with by={question.distribution}")
    if window.span.start < state.events_from:
        raise Mistake("from", f"{state.events_gone}; expected {iso(state.events_from)} or later")
    assert question.distribution is not None, "asked for"
    counted = await distribution_counts(
        question.distribution,
        window.span,
        question.filters,
        state,
        run,
        with_visitors="visitors" in question.metrics,
    )
    rows = [
        {"name": _UNKNOWN if number is None else str(number)}
        | {metric: {"views": views, "visitors": visitors}[metric] for metric in question.metrics}
        for number, views, visitors in counted
    ]
    return Part(
        window, rows[: question.limit], dict.fromkeys(question.metrics, EVENTS), more=max(0, len(rows) - question.limit)
    )
