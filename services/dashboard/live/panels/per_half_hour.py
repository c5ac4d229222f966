"""Visitors per half hour: the distinct ones of each half hour of the last eight hours."""

from services.dashboard.kit.cards.card import Card, Context, head, legend
from services.dashboard.kit.cards.chart import Figure, chart
from services.dashboard.kit.wording import grouped
from services.dashboard.live import time_bars
from shared.events.time_units import HALF_HOUR_MS
from shared.rollups.contract import AudienceRollup, Snapshot


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    half_hours = list(snapshot.windows.visitors_30m.values())
    running = grouped(half_hours[-1] if half_hours else 0)
    title = head(
        "Visitors per half hour",
        f"Last 8 hours, {context.clock.name(snapshot.meta.as_of_ms)} · running half hour hatched",
        legend([("var(--accent)", "in this one", running)]),
    )
    label = f"Distinct visitors per half hour of the last 8 hours, {running} now"
    return Card(
        name="per-half-hour",
        parts=(title, chart(figure(snapshot.windows, context), label)),
        height_px=314,
        phone_height_px=336,
    )


def figure(windows: AudienceRollup, context: Context) -> Figure:
    """A bar for each half hour."""
    visitors = windows.visitors_30m
    starts = sorted(visitors)
    trace = time_bars.bars(starts, visitors, "visitors", context.palette.accent, context, width=0.72)
    return time_bars.figure([trace], starts, HALF_HOUR_MS, max(visitors.values(), default=0), context)
