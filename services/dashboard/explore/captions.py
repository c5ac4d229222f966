"""The windows of the cards' heads in words. Pure."""

from services.dashboard.explore import span_text
from services.dashboard.explore.choices import MEASURES, WINDOWS
from services.dashboard.explore.counting.distributions import Histogram
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import grouped


def window(found: Exploration, clock: Clock) -> str:
    """`Last 1 h, to 10:31`, without `Last` for a window of the past."""
    text = _to_end(found.choices.window_minutes, found.span, clock)
    return f"Last {text}" if found.choices.at_minute is None else text


def window_and_zone(found: Exploration, clock: Clock) -> str:
    """`Last 1 h, to 10:31, CET`."""
    return f"{window(found, clock)}, {span_text.zone(found.span, clock)}"


def backlog(found: Exploration, clock: Clock) -> str:
    """`1 h, to 10:31 CET`: the window of the histograms."""
    text = _to_end(found.choices.backlog_minutes, found.backlog, clock)
    return f"{text} {span_text.zone(found.span, clock)}"


def measure(found: Exploration) -> str:
    """`Views` or `Visitors`."""
    return MEASURES[found.choices.measure]


def spoken(title: str, histogram: Histogram) -> str:
    """A histogram for screen readers."""
    classes = zip(histogram.labels, histogram.counts, strict=True)
    return f"{title}. {', '.join(f'{label}: {grouped(count)}' for label, count in classes)}"


def _to_end(minutes: int, span: Span, clock: Clock) -> str:
    return f"{WINDOWS.get(minutes, f'{minutes} min')}, to {span_text.minute(span.end_minute, clock)}"
