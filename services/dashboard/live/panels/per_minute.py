"""Views and visitors per minute: events of the last 15 minutes and, inside their bars, distinct visitors.

A line shows the views of the same minutes of last week, once history knows them.
"""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, legend
from services.dashboard.kit.cards.chart import Figure, chart
from services.dashboard.kit.wording import counted, grouped
from services.dashboard.live import time_bars
from services.dashboard.live.panels.now import HEIGHT_PX
from services.dashboard.sources.history.last_week import LastWeek
from shared.events.time_units import MINUTE_MS
from shared.rollups.contract import AudienceRollup, Snapshot

_MINUTES_DRAWN: Final = 15
_LAST_WEEK: Final = "last week"


def draw(snapshot: Snapshot, context: Context, last_week: LastWeek | None = None, *, is_narrow: bool = False) -> Card:
    """The card; a narrow one has its legend beside a short head."""
    windows = snapshot.windows
    views, visitors = windows.views.get("15m", 0), windows.visitors.get("15m", 0)
    zone = context.clock.name(snapshot.meta.as_of_ms)
    keys = [("var(--accent-soft)", "views", grouped(views)), ("var(--accent)", "visitors", grouped(visitors))]
    counts = f"{counted(views, 'view')} by {counted(visitors, 'visitor')}"
    label = f"Views and visitors per minute: {counts} in the last 15 minutes"
    window = f"Last 15 minutes, {zone}" + ("" if is_narrow else " · running minute hatched")
    if last_week is not None:
        label += f", {counted(last_week.views_15m, 'view')} in the same minutes of last week"
        if is_narrow:
            window = f"15 min · line: {_LAST_WEEK}"
        else:
            keys.append((time_bars.LINE_COLOUR, _LAST_WEEK, grouped(last_week.views_15m)))
    title = head("Per minute" if is_narrow else "Views and visitors per minute", window, legend(keys))
    return Card(
        name="per-minute",
        parts=(title, chart(figure(windows, context, last_week), label)),
        columns=4,
        height_px=HEIGHT_PX,
        phone_height_px=336,
    )


def figure(windows: AudienceRollup, context: Context, last_week: LastWeek | None = None) -> Figure:
    """Bars of views with bars of visitors inside, and the line of last week."""
    views = windows.views_1m
    starts = sorted(views)[-_MINUTES_DRAWN:]
    traces = [
        time_bars.bars(starts, views, "views", context.palette.accent_soft, context, width=0.86),
        time_bars.bars(starts, windows.visitors_1m, "visitors", context.palette.accent, context, width=0.5),
    ]
    counts = [views[start] for start in starts]
    if last_week is not None:
        before = [last_week.views_1m.get(start) for start in starts]
        traces += time_bars.line(starts, before, "views", _LAST_WEEK, context)
        counts += [count for count in before if count is not None]
    greatest = max(counts, default=0)
    return time_bars.figure(traces, starts, MINUTE_MS, greatest, context)
