"""The figures of each audience, from scratch and in plain Python: slow and obviously right. Pure.

It shares nothing with what it checks but the words of the contract, `shared.rollups`, and what an event is called.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.aggregate.proof.by_name import names_at, top
from services.aggregate.proof.clicks import PLACES, Click, in_order
from services.aggregate.proof.commerce import Goals, commerce
from services.aggregate.proof.spans import Spans
from services.aggregate.proof.trends import has_base, trends
from shared.rollups.commerce import DEFAULT_CURRENCY
from shared.rollups.contract import AUDIENCE_ROWS, PREVIOUS_ROWS
from shared.rollups.model import AUDIENCES, WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS, Audience

Sessions = Sequence[Sequence[Click]]

_SESSION_GAP: Final = 1800
_DEVICES: Final[Mapping[Audience, tuple[str, ...]]] = {
    "human": ("Desktop", "Mobile", "Tablet", "Other"),
    "bot": ("Bot",),
    "all": ("Desktop", "Mobile", "Tablet", "Bot", "Other"),
}


def figures(
    clicks: Iterable[Click], now_s: int, goals: Goals | None = None, currency: str = DEFAULT_CURRENCY
) -> dict[Audience, dict[str, Any]]:
    """The figures of counted clicks at an instant, by attribute of `AudienceRollup`; values as `asdict` has them."""
    everyone = Spans(in_order(click for click in clicks if click.second <= now_s), now_s)
    rises = has_base(everyone)
    return {audience: _audience(everyone, audience, rises, goals or {}, currency) for audience in AUDIENCES}


def _audience(everyone: Spans, audience: Audience, rises: bool, goals: Goals, currency: str) -> dict[str, Any]:
    own = everyone
    if audience != "all":
        is_bot = audience == "bot"
        own = Spans([click for click in everyone.clicks if (click.device == "Bot") == is_bot], everyone.now_s)
    sessions = _sessions_of(own.clicks)
    hour = own.trailing(3600)
    minutes, half_hours = own.buckets(60, 60), own.buckets(1800, 17)
    return {
        "views": _periods(own, len),
        "visitors": _periods(own, _users),
        "sessions": _sessions(sessions, own.now_s),
        **_session_series(sessions, own.now_s),
        "views_1m": {start: len(clicks) for start, clicks in minutes.items()},
        "visitors_1m": {start: _users(clicks) for start, clicks in minutes.items()},
        "views_30m": {start: len(clicks) for start, clicks in half_hours.items()},
        "visitors_30m": {start: _users(clicks) for start, clicks in half_hours.items()},
        **{
            ranking: top(Counter(names_at(hour, PLACES[ranking])), AUDIENCE_ROWS[ranking].limit)
            for ranking in PREVIOUS_ROWS
        },
        "devices_10m": {
            device: _users([click for click in own.trailing(600) if click.device == device])
            for device in _DEVICES[audience]
        },
        **trends(own, sessions, rises=rises),
        **commerce(own, goals, currency),
    }


def _periods(own: Spans, count: Any) -> dict[str, int]:
    return {
        **{window: count(own.trailing(seconds)) for window, seconds in WINDOW_SECONDS.items()},
        **{
            f"{window}:prev": count(own.trailing(WINDOW_SECONDS[window], WINDOW_SECONDS[window]))
            for window in WINDOWS_WITH_PREVIOUS
        },
    }


def _users(clicks: Iterable[Click]) -> int:
    return len({click.user for click in clicks})


def _sessions_of(clicks: Iterable[Click]) -> Sessions:
    sessions: list[list[Click]] = []
    current: dict[str, list[Click]] = {}
    for click in clicks:
        session = current.get(click.user)
        if session is None or click.second - session[-1].second >= _SESSION_GAP:
            session = current[click.user] = []
            sessions.append(session)
        session.append(click)
    return sessions


def _duration_s(session: Sequence[Click]) -> int:
    return session[-1].second - session[0].second


def _sessions(sessions: Sessions, now_s: int) -> dict[str, float]:
    started = [session for session in sessions if session[0].second > now_s - 3600]
    number = len(started) or 1
    return {
        "active": sum(session[-1].second > now_s - _SESSION_GAP for session in sessions),
        "started_1h": len(started),
        "bounce_rate_1h": round(sum(len(session) == 1 for session in started) / number, 4),
        "views_per_session_1h": round(sum(map(len, started)) / number, 4),
        "duration_s_1h": round(sum(map(_duration_s, started)) / number, 1),
    }


def _session_series(sessions: Sessions, now_s: int) -> dict[str, dict[int, int]]:
    buckets: dict[int, list[Sequence[Click]]] = {now_s // 300 - ago: [] for ago in reversed(range(12))}
    for session in sessions:
        own = buckets.get(session[0].second // 300)
        if own is not None:
            own.append(session)
    return {
        "sessions_5m": {bucket * 300_000: len(own) for bucket, own in buckets.items()},
        "bounces_5m": {bucket * 300_000: sum(len(s) == 1 for s in own) for bucket, own in buckets.items()},
        "durations_5m": {bucket * 300_000: sum(map(_duration_s, own)) for bucket, own in buckets.items()},
    }
