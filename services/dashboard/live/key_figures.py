"""The row of numbers above the panels, each with its window and what it is based on. Pure, HTML out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from services.dashboard.kit.cards import sparkline, stat_cards
from services.dashboard.kit.cards.stat_cards import StatCard
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import money
from services.dashboard.kit.wording import UNKNOWN, counted, grouped, percentage, rate, span
from services.dashboard.live.changes import Changes
from shared.rollups.commerce import OTHER_CURRENCIES
from shared.rollups.contract import AudienceRollup
from shared.rollups.model import WINDOW_SECONDS

_RATE_WINDOW: Final = "15m"
"""For views per minute: shorter windows hold so few views that their change never settles."""
_RATE_MINUTES: Final = WINDOW_SECONDS[_RATE_WINDOW] // 60

_Number = TypeVar("_Number", int, float)


_CURRENCIES_NAMED: Final = 2
_ON_A_WALL: Final = ("Active now", "Visitors, 1 h", "Views per minute", "Sessions")


def draw(windows: AudienceRollup, changes: Changes) -> str:
    """The cards: always the same number and height, whatever the rollup holds."""
    return stat_cards.row(_cards(windows, changes))


def draw_for_wall(windows: AudienceRollup, changes: Changes) -> str:
    """The few that change by the second, and the revenue of a site that sells."""
    shown = [card for card in _cards(windows, changes) if card.label in _ON_A_WALL]
    return stat_cards.row([*shown, *_revenue(windows)])


def active_now(windows: AudienceRollup) -> str:
    """The number of the first card."""
    return grouped(windows.visitors.get("5m", 0))


def _cards(windows: AudienceRollup, changes: Changes) -> Iterable[StatCard]:
    return (*_traffic(windows, changes), *_sessions(windows, changes))


def _traffic(windows: AudienceRollup, changes: Changes) -> Iterable[StatCard]:
    visitors, per_minute = windows.visitors, windows.visitors_1m
    yield StatCard(
        label="Active now",
        number=active_now(windows),
        window="visitors, last 5 min",
        fact=changes.visitors("5m", "visitor"),
        curve=_per_minute(per_minute, "visitors", 30),
    )
    yield StatCard(
        label="Visitors, 15 min",
        number=grouped(visitors.get("15m", 0)),
        window="distinct, last 15 min",
        fact=changes.visitors("15m", "visitor"),
        curve=_per_minute(per_minute, "visitors", 15),
    )
    yield StatCard(
        label="Visitors, 1 h",
        number=grouped(visitors.get("1h", 0)),
        window="distinct, last hour",
        fact=changes.visitors("1h", "visitor"),
        curve=_per_minute(per_minute, "visitors", 60),
    )
    yield StatCard(
        label="Views per minute",
        number=rate(windows.views.get(_RATE_WINDOW, 0) / _RATE_MINUTES),
        window="mean of 15 min",
        fact=changes.views_15m(),
        curve=_per_minute(windows.views_1m, "views", 60),
    )


def _sessions(windows: AudienceRollup, changes: Changes) -> Iterable[StatCard]:
    sessions, started = windows.sessions, windows.sessions_5m
    any_started = sessions.started_1h > 0  # without any there is no mean, though the contract writes 0
    yield StatCard(
        label="Sessions",
        number=grouped(sessions.active),
        window="active, last 30 min",
        # Active sessions are the visitors of the half hour, because a visitor has at most one: see docs/redis.md.
        fact=changes.visitors("30m", "session"),
        curve=_curve(list(started.values())[:-1], "Sessions started per 5 minutes, last hour", grouped),
    )
    # These two show no change: the previous hour's value is not known exactly once its sessions have ended.
    yield StatCard(
        label="Bounce rate",
        number=percentage(sessions.bounce_rate_1h) if any_started else UNKNOWN,
        window="left after one view",
        fact=_of_sessions(sessions.started_1h),
        curve=_curve(_means(windows.bounces_5m, started), "Bounce rate by 5 minutes, last hour", percentage),
    )
    yield StatCard(
        label="Session duration",
        number=span(sessions.duration_s_1h) if any_started else UNKNOWN,
        window=f"mean, {sessions.views_per_session_1h:.1f} views each" if any_started else "mean",
        fact=_of_sessions(sessions.started_1h),
        curve=_curve(_means(windows.durations_5m, started), "Mean duration by 5 minutes, last hour", span),
    )


def _revenue(windows: AudienceRollup) -> Iterable[StatCard]:
    """Sales less refunds in the reporting currency; what was sold in others is named, never added."""
    revenue, others = windows.revenue, windows.other_currencies
    if not revenue.has_sales and not others:
        return
    fact = f"after {counted(revenue.refunds_1h, 'refund')}" if revenue.refunds_1h else ""
    if others:
        names = " and ".join(sorted(others)) if len(others) <= _CURRENCIES_NAMED else f"{len(others)} other currencies"
        names = "other currencies" if OTHER_CURRENCIES in others else names
        fact = f"without {in_html(names, 30)}"
    yield StatCard(
        label="Revenue, 1 h",
        number=in_html(money(revenue.revenue_1h, revenue.currency)),
        window=f"{counted(revenue.orders_1h, 'order')}, last hour",
        fact=fact,
    )


def _of_sessions(started: int) -> str:
    """The sessions behind a mean: short on the card, in full for screen readers and in the tooltip."""
    words = f"of {counted(started, 'session')} started in the last hour"
    return (
        f'<span title="{words}"><span aria-hidden="true">of {grouped(started)}, last hour</span>'
        f'<span class="spoken">{words}</span></span>'
    )


def _per_minute(series: Mapping[int, int], noun: str, minutes: int) -> str:
    span_words = "hour" if minutes == 60 else f"{minutes} minutes"
    # Complete minutes only; the running one would drop to 0 at the start of each minute.
    return _curve(list(series.values())[:-1][-minutes:], f"{noun.capitalize()} per minute, last {span_words}", grouped)


def _curve(figures: Sequence[_Number], title: str, written: Callable[[_Number], str]) -> str:
    if len(figures) < sparkline.FEWEST_POINTS:
        return ""
    return sparkline.draw(figures, f"{title}: {written(min(figures))} to {written(max(figures))}", least_top=0)


def _means(sums: Mapping[int, int], sessions: Mapping[int, int]) -> list[float]:
    """The mean over the sessions started in each complete five minutes that had any."""
    return [sums.get(start, 0) / started for start, started in list(sessions.items())[:-1] if started]
