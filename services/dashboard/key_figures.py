"""The row of numbers above the panels: each with its window, and what it rests on beneath. Pure, HTML out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.dashboard import sparkline
from services.dashboard.wording import UNKNOWN, counted, grouped, percentage, rate, span
from shared.rollup_keys import WINDOW_SECONDS, AudienceRollup, Meta, Sessions

_RATE_WINDOW: Final = "15m"
"""Of the views per minute: shorter ones compare so few views with so few that their change is never still."""
_RATE_MINUTES: Final = WINDOW_SECONDS[_RATE_WINDOW] // 60
_UNIT: Final = re.compile(r"(?<=\d)( ?[a-z%]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One card; every text is the dashboard's own."""

    label: str
    number: str
    window: str
    foot: str  # HTML: a sparkline, or one more fact
    change: str = ""  # HTML


def draw(meta: Meta, windows: AudienceRollup) -> str:
    """The cards, always the same number of them and of the same height, whatever the rollup holds."""
    return row((*_traffic(meta, windows), *_sessions(windows.sessions)))


def row(figures: Iterable[Figure]) -> str:
    """The cards side by side; the stylesheet lays out seven."""
    cards = "".join(_card(figure) for figure in figures)
    return f'<div class="kpis" role="list" aria-label="Key figures">{cards}</div>'


def _traffic(meta: Meta, windows: AudienceRollup) -> Iterable[Figure]:
    # The contract has no visitors of the period before, so no change of theirs is made up: the curve shows them coming.
    visitors = windows.visitors
    yield Figure(
        label="Active now",
        number=grouped(visitors.get("5m", 0)),
        window="visitors, last 5 min",
        foot=_curve(windows.visitors_1m, "visitors", 30),
    )
    yield Figure(
        label="Visitors, 15 min",
        number=grouped(visitors.get("15m", 0)),
        window="distinct, last 15 min",
        foot=_curve(windows.visitors_1m, "visitors", 15),
    )
    yield Figure(
        label="Visitors, 1 h",
        number=grouped(visitors.get("1h", 0)),
        window="distinct, last hour",
        foot=_curve(windows.visitors_1m, "visitors", 60),
    )
    yield Figure(
        label="Views per minute",
        number=rate(windows.views.get(_RATE_WINDOW, 0) / _RATE_MINUTES),
        window="mean of 15 min",
        foot=_curve(windows.views_1m, "views", 60),
        change=_change(meta, windows.views),
    )


def _sessions(sessions: Sessions) -> Iterable[Figure]:
    any_started = sessions.started_1h > 0  # a mean of nothing is no number, though the contract writes 0
    yield Figure(
        label="Sessions",
        number=grouped(sessions.active),
        window="active, last 30 min",
        foot=f"{grouped(sessions.started_1h)} started in 1 h",
    )
    yield Figure(
        label="Bounce rate",
        number=percentage(sessions.bounce_rate_1h) if any_started else UNKNOWN,
        window="left after one view",
        foot="sessions started in 1 h",
    )
    yield Figure(
        label="Session duration",
        number=span(sessions.duration_s_1h) if any_started else UNKNOWN,
        window=f"mean, {sessions.views_per_session_1h:.1f} views each" if any_started else "mean",
        foot="sessions started in 1 h",
    )


def _card(figure: Figure) -> str:
    number = _UNIT.sub(r"<small>\1</small>", figure.number)
    digits = sum(1.0 if sign.isdigit() else 0.5 for sign in figure.number)  # its width, for the stylesheet
    return (
        f'<div class="kpi" role="listitem"><h2>{figure.label}</h2><div class="number" style="--digits:{digits}">'
        f'{number}</div><p>{figure.window}{figure.change}</p><div class="foot">{figure.foot}</div></div>'
    )


def _curve(series: Mapping[int, int], noun: str, minutes: int) -> str:
    """The series' last whole minutes; the running one would fall to nothing at the start of each minute."""
    counts = list(series.values())[:-1][-minutes:]
    if len(counts) < sparkline.FEWEST_POINTS:
        return ""
    span_words = "hour" if minutes == 60 else f"{minutes} minutes"
    label = f"{noun.capitalize()} per minute, last {span_words}: {grouped(min(counts))} to {grouped(max(counts))}"
    return sparkline.draw(counts, label)


def _change(meta: Meta, views: Mapping[str, int]) -> str:
    current, previous = views.get(_RATE_WINDOW, 0), views.get(f"{_RATE_WINDOW}:prev", 0)
    if previous == 0 or meta.coverage_8h_s < 2 * WINDOW_SECONDS[_RATE_WINDOW]:
        return ""  # nothing to compare with, or periods that are only partly loaded
    change = round(100 * (current - previous) / previous)
    kind, arrow, word = (
        ("up", "▲", "up") if change > 0 else ("down", "▼", "down") if change < 0 else ("level", "±", "changed by")
    )
    return (
        f'<span class="change {kind}" title="against {counted(previous, "view")} in the 15 minutes before">'
        f'<span aria-hidden="true">{arrow}</span><span class="spoken">{word}</span> {grouped(abs(change))} %</span>'
    )
