"""The key figures of sessions in a long window, where its filters leave them known. Pure, HTML out."""

from collections.abc import Callable
from typing import Final, NamedTuple

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, is_kept
from services.dashboard.explore.long_windows.choices import EARLIER, has_sessions
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.tiles import tile
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import UNKNOWN, grouped, percentage, span


class _Figure(NamedTuple):
    title: str
    number: Callable[[Row], float | None]
    written: Callable[[float], str]
    about: str


_FIGURES: Final = (
    _Figure("Sessions", lambda row: row.sessions, lambda number: grouped(round(number)), "started"),
    _Figure("Bounce rate", lambda row: row.bounce_rate, percentage, "sessions of one event"),
    _Figure("Views per session", lambda row: row.views_per_session, lambda number: f"{number:.1f}", "mean"),
    _Figure("Session duration", lambda row: row.seconds_per_session, span, "mean, first to last event"),
)


def draw(found: Found, clock: Clock) -> list[str]:
    """A tile for each figure; none under filters that history does not know sessions by."""
    if not has_sessions(found.choices):
        return []
    seen = None if "sessions" in found.failures else found.seen.get("sessions")
    if seen is None or not seen.said.rows:
        about = "unknown" if "sessions" in found.failures else "asking history"
        return [tile(figure.title, UNKNOWN, about) for figure in _FIGURES]
    return [_tile(figure, seen, clock) for figure in _FIGURES]


def _tile(figure: _Figure, seen: Seen, clock: Clock) -> str:
    said, choices = seen.said, seen.choices
    number = figure.number(said.rows[0])
    foot = f"{figure.about}, {captions.short(choices, clock)}"
    compare = said.compare
    if compare is not None and compare.rows and is_kept(compare.window, said):
        before = figure.number(compare.rows[0])
        if before is not None:
            foot = f"{figure.about}; {figure.written(before)} {EARLIER.get(choices.compare, '')}"
    hint = captions.window(choices, said, clock)
    return tile(figure.title, UNKNOWN if number is None else figure.written(number), foot, hint=hint)
