"""Views and visitors per minute: events of the last 15 minutes and, inside their bars, distinct visitors."""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, legend
from services.dashboard.kit.cards.chart import Figure, chart
from services.dashboard.kit.wording import counted, grouped
from services.dashboard.live import time_bars
from services.dashboard.live.panels.now import HEIGHT_PX
from shared.events.time_units import MINUTE_MS
from shared.rollups.contract import AudienceRollup, Snapshot

_MINUTES_DRAWN: Final = 15


def draw(snapshot: Snapshot, context: Context, *, is_narrow: bool = False) -> Card:
    """The card; a narrow one has its legend beside a short head."""
    windows = snapshot.windows
    views, visitors = windows.views.get("15m", 0), windows.visitors.get("15m", 0)
    zone = context.clock.name(snapshot.meta.as_of_ms)
    title = head(
        "Per minute" if is_narrow else "Views and visitors per minute",
        f"Last 15 minutes, {zone}" + ("" if is_narrow else " · running minute hatched"),
        legend([("var(--accent-soft)", "views", grouped(views)), ("var(--accent)", "visitors", grouped(visitors))]),
    )
    counts = f"{counted(views, 'view')} by {counted(visitors, 'visitor')}"
    label = f"Views and visitors per minute: {counts} in the last 15 minutes"
    return Card(
        name="per-minute",
        parts=(title, chart(figure(windows, context), label)),
        columns=4,
        height_px=HEIGHT_PX,
        phone_height_px=336,
    )


def figure(windows: AudienceRollup, context: Context) -> Figure:
    """Bars of views with bars of visitors inside."""
    views = windows.views_1m
    starts = sorted(views)[-_MINUTES_DRAWN:]
    traces = [
        time_bars.bars(starts, views, "views", context.palette.accent_soft, context, width=0.86),
        time_bars.bars(starts, windows.visitors_1m, "visitors", context.palette.accent, context, width=0.5),
    ]
    greatest = max((views[start] for start in starts), default=0)
    return time_bars.figure(traces, starts, MINUTE_MS, greatest, context)
