"""Revenue and profit by hour: bars of today, and a line for each earlier day that history knows."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from services.dashboard.kit.cards.card import Card, Context, head, legend
from services.dashboard.kit.cards.chart import Figure, amount_axis, chart, instants, layout
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.money import money
from services.dashboard.sales.key_figures import LAST_WEEK, YESTERDAY
from services.dashboard.sales.snapshot import Snapshot
from services.dashboard.sources.history.sales import Earlier, Hour, SalesDay
from shared.events.time_units import HOUR_MS

_HEIGHT_PX: Final = 262


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    day = snapshot.day
    revenue = money(day.total.revenue, day.currency)
    keys = [("var(--accent-soft)", "revenue", revenue)]
    label = f"Revenue by hour: {revenue} today"
    if not day.total.is_cost_unknown:
        keys.append(("var(--accent)", "profit", money(day.total.profit, day.currency)))
        label += f", profit {money(day.total.profit, day.currency)}"
    lines = "".join(f" · {style}: {name}" for name, _, style in _earlier(day))
    title = head("By hour", f"Today, {context.clock.name(day.ends_ms)}{lines}", legend(keys))
    return Card(
        name="by-hour",
        parts=(title, chart(figure(day, context), label)),
        columns=8,
        height_px=344,
        phone_height_px=368,
    )


def figure(day: SalesDay, context: Context) -> Figure:
    """Bars of revenue with bars of profit inside, over the whole day."""
    palette = context.palette
    traces = [_line(day, earlier, name, dash, context) for name, earlier, dash in _earlier(day)]
    traces.append(_bars(day, "revenue", palette.accent_soft, context, width=0.86))
    amounts = [hour.sums.revenue for hour in day.hours]
    if not day.total.is_cost_unknown:
        traces.append(_bars(day, "profit", palette.accent, context, width=0.5))
        amounts += [hour.sums.profit for hour in day.hours]
    amounts += [hour.sums.revenue for _, earlier, _ in _earlier(day) for hour in earlier.hours]
    return {
        "data": traces,
        "layout": {
            **layout(_HEIGHT_PX, palette),
            "barmode": "overlay",
            "hovermode": "x unified",
            "margin": {"l": 48, "r": 4, "t": 8, "b": 26},
            "xaxis": {
                "type": "date",
                "range": instants([day.starts_ms - HOUR_MS * 6 // 10, day.ends_ms - HOUR_MS * 4 // 10], context.clock),
                "tickformat": "%H:%M",
                "hoverformat": f"%H:%M {in_plotly(context.clock.name(day.ends_ms))}",
                "nticks": 9,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "showspikes": False,
                "ticklabelstandoff": 4,
            },
            "yaxis": amount_axis(amounts, context.palette),
        },
    }


def _earlier(day: SalesDay) -> Sequence[tuple[str, Earlier, str]]:
    """The earlier days, with the style of their lines."""
    known = ((YESTERDAY, day.yesterday, "line"), (LAST_WEEK, day.last_week, "dotted"))
    return [(name, earlier, style) for name, earlier, style in known if earlier is not None]


def _bars(day: SalesDay, figure_name: str, colour: str, context: Context, *, width: float) -> dict[str, Any]:
    hours = day.hours
    amounts: list[Decimal] = [getattr(hour.sums, figure_name) for hour in hours]
    return {
        "type": "bar",
        "name": figure_name,
        "x": _instants([hour.starts_ms for hour in hours], day, context),
        "y": [float(amount) for amount in amounts],
        "width": [_length_ms(hours, place) * width for place in range(len(hours))],
        "marker": {
            "color": colour,
            "pattern": {
                "fillmode": "overlay",
                "shape": ["/" if hour is hours[-1] else "" for hour in hours],
                "fgcolor": context.palette.card,
                "size": 6,
                "solidity": 0.35,
            },
        },
        "customdata": [in_plotly(money(amount, day.currency)) for amount in amounts],
        "hovertemplate": f"%{{customdata}} {figure_name}<extra></extra>",
    }


def _length_ms(hours: Sequence[Hour], place: int) -> int:
    """Hours are those of UTC, so the first of a day may be half of one; the running one has its full width."""
    is_running = place == len(hours) - 1
    return HOUR_MS if is_running else hours[place].ends_ms - hours[place].starts_ms


def _line(day: SalesDay, earlier: Earlier, name: str, style: str, context: Context) -> dict[str, Any]:
    """The earlier day's hours at the same time since midnight."""
    starts = [hour.starts_ms - earlier.starts_ms + day.starts_ms for hour in earlier.hours]
    amounts = [hour.sums.revenue for hour in earlier.hours]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _instants(starts, day, context),
        "y": [float(amount) for amount in amounts],
        "line": {"color": context.palette.muted, "width": 1.5, "dash": "dot" if style == "dotted" else "solid"},
        "opacity": 0.6,
        "customdata": [in_plotly(money(amount, day.currency)) for amount in amounts],
        "hovertemplate": f"%{{customdata}} {name}<extra></extra>",
    }


def _instants(moments_ms: Sequence[int], day: SalesDay, context: Context) -> list[str]:
    """With the offset of the day's end, as all labels of the axis."""
    return instants([*moments_ms, day.ends_ms], context.clock)[:-1]
