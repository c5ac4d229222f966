"""Figures of sessions by bucket or by site. Pure but for `run`.

They come from rollups that know sites and audiences alone. A session counts in the bucket of its first event, so all
figures are sums, and ratios of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.history.questions.counted import Counted, without_minutes
from services.history.questions.dimensions import BOT, DEVICE, SITE
from services.history.questions.mistake import Mistake
from services.history.questions.pieces import pieces_of
from services.history.questions.question import SESSIONS as METRICS
from services.history.questions.question import Filter, Metric, Question
from services.history.questions.spans import Span
from services.history.questions.state import ROLLUPS, Run, State
from services.history.questions.statements import Family, from_rollups, ranked

_FAMILY: Final = Family(
    "sessions",
    {
        "sessions": "sum(sessions)",
        "bounces": "sum(bounces)",
        "session_views": "sum(views)",
        "session_seconds": "sum(duration_s)",
    },
    {SITE: "site_id"},
)
_PARTS: Final[Mapping[str, tuple[str, int]]] = {
    "bounce_rate": ("bounces", 4),
    "views_per_session": ("session_views", 1),
    "seconds_per_session": ("session_seconds", 1),
}
"""What each ratio divides by the number of sessions, and its decimals."""

_MINUTES: Final = "sessions are known by whole minutes"
_NARROW: Final = "sessions are known by site and audience alone"


async def sessions_series(question: Question, spans: Sequence[Span], state: State, run: Run) -> Counted:
    """The figures of each span, by place; spans follow one another. They are unknown under other filters."""
    metrics = _metrics(question)
    if _other_filters(question.filters):
        return Counted(figures={}, source={}, notes=[f"{_NARROW}, so these are unknown under other filters"])
    pieces = pieces_of(spans)
    if pieces is None:
        return Counted(figures={}, source={}, notes=[f"{_MINUTES}, so these are unknown"])
    gone = without_minutes(pieces, state)
    known = [place for place in range(len(spans)) if place not in gone]
    sites, condition = _conditions(question.filters)
    rows = await run(from_rollups(_FAMILY, pieces, None, sites, condition=condition)) if pieces else []
    found = {place: figures for place, _, *figures in rows}
    notes = ["sessions: minutes of some buckets are no longer kept, so these are unknown"] if gone else []
    return Counted(
        figures=_by_metric(metrics, {place: found.get(place, ()) for place in known}),
        source=dict.fromkeys(metrics, ROLLUPS),
        notes=notes,
    )


async def sessions_breakdown(question: Question, span: Span, state: State, run: Run) -> Counted:
    """The figures of the leading sites. Raises Mistake for what is not by site, or not known."""
    metrics = _metrics(question)
    if question.by != SITE:
        raise Mistake("by", f"{_NARROW}; expected by=site with {metrics[0]}")
    others = _other_filters(question.filters)
    if others:
        raise Mistake(others[0].dimension.name, f"{_NARROW}; expected no other filter with {metrics[0]}")
    pieces = pieces_of([span])
    if pieces is None:
        raise Mistake("from", f"{_MINUTES}; expected a window that begins and ends with one")
    if without_minutes(pieces, state):
        raise Mistake("from", "the minutes of sessions are no longer kept; expected whole hours")
    if not pieces:
        return Counted(figures={}, source={})
    sites, condition = _conditions(question.filters)
    counted = from_rollups(_FAMILY, pieces, None, sites, SITE, condition=condition)
    first = metrics[0]
    order = f"{_PARTS[first][0]}::numeric / nullif(sessions, 0)" if first in _PARTS else first
    rows = await run(ranked(_FAMILY, counted, order, question.limit))
    found = {name: figures for name, *figures, _ in rows}
    return Counted(
        figures=_by_metric(metrics, found),
        source=dict.fromkeys(metrics, ROLLUPS),
        names=list(found),
        more=rows[0][-1] - len(rows) if rows else 0,
    )


def zero_of_sessions(metric: Metric) -> int | None:
    """The figure of a bucket or site without sessions: of none there is no mean."""
    return None if metric in _PARTS else 0


def _metrics(question: Question) -> list[Metric]:
    return [metric for metric in question.metrics if metric in METRICS]


def _is_audience(own: Filter) -> bool:
    return own.dimension == DEVICE and own.names == (BOT,)


def _other_filters(filters: Iterable[Filter]) -> list[Filter]:
    return [own for own in filters if own.dimension != SITE and not _is_audience(own)]


def _conditions(filters: Sequence[Filter]) -> tuple[list[Filter], str]:
    """The filters by site, and the condition on the audience."""
    audiences = [" AND NOT is_bot" if own.is_excluded else " AND is_bot" for own in filters if _is_audience(own)]
    return [own for own in filters if own.dimension == SITE], "".join(dict.fromkeys(audiences))


def _by_metric(metrics: Sequence[Metric], found: Mapping[Any, Sequence[Any]]) -> dict[str, dict[Any, Any]]:
    names = list(_FAMILY.sums)
    sums = {key: dict(zip(names, figures, strict=True)) if figures else {} for key, figures in found.items()}
    return {metric: {key: _figure(metric, own) for key, own in sums.items()} for metric in metrics}


def _figure(metric: Metric, sums: Mapping[str, int]) -> float | int | None:
    number = sums.get("sessions")
    if not number:
        return zero_of_sessions(metric)
    if metric not in _PARTS:
        return sums[metric]
    part, decimals = _PARTS[metric]
    return round(sums[part] / number, decimals)
