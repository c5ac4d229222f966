"""Bars of counts over time, the last of them hatched because it is still running. Pure; instants are epoch ms."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.chart import Figure, count_axis, instants, layout, round_top
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.time_zones import UTC_CLOCK
from shared.events.time_units import MINUTE_MS

_HEIGHT_PX: Final = 232
_HEIGHT_ON_A_WALL_PX: Final = 158

_LINE_OPACITY: Final = 0.75
"""Pale, and yet with a contrast of 3 to a card in either mode."""

LINE_COLOUR: Final = f"color-mix(in srgb, var(--muted) {_LINE_OPACITY:.0%}, var(--card))"
"""The same for a legend, as a CSS colour."""

Trace = dict[str, Any]


def bars(
    starts: Sequence[int], counts: Mapping[int, int], noun: str, colour: str, context: Context, *, width: float
) -> Trace:
    """A bar for each of `starts`; `width` is the share of the step that it fills."""
    step_ms = starts[1] - starts[0] if len(starts) > 1 else MINUTE_MS
    utc = "" if context.clock == UTC_CLOCK else " · %{customdata} UTC"
    return {
        "type": "bar",
        "name": noun,
        "x": instants(starts, context.clock),
        "y": [counts.get(start, 0) for start in starts],
        "width": step_ms * width,
        "marker": {
            "color": colour,
            "pattern": {
                "fillmode": "overlay",
                "shape": ["/" if start == starts[-1] else "" for start in starts],
                "fgcolor": context.palette.card,
                "size": 6,
                "solidity": 0.35,
            },
        },
        "customdata": [UTC_CLOCK.time(start)[:5] for start in starts],
        "hovertemplate": f"%{{y:,}} {noun}{utc}<extra></extra>",
    }


def line(starts: Sequence[int], counts: Sequence[int | None], noun: str, name: str, context: Context) -> list[Trace]:
    """A pale line over bars. Its edge has the card's colour, because no grey stands out from bars of both kinds."""
    palette = context.palette
    whole: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": instants(starts, context.clock),
        "y": list(counts),
    }
    return [
        {**whole, "line": {"color": palette.card, "width": 4}, "hoverinfo": "skip"},
        {
            **whole,
            "line": {"color": palette.muted, "width": 2},
            "opacity": _LINE_OPACITY,
            "hovertemplate": f"%{{y:,}} {noun} {name}<extra></extra>",
        },
    ]


def figure(traces: list[Trace], starts: Sequence[int], step_ms: int, greatest: int, context: Context) -> Figure:
    """The traces over a time axis; all labels use the UTC offset of its end."""
    first, last = (starts[0], starts[-1]) if starts else (0, 0)
    ends = [first - step_ms * 6 // 10, last + step_ms * 6 // 10]
    return {
        "data": traces,
        "layout": {
            **layout(_HEIGHT_ON_A_WALL_PX if context.is_wall else _HEIGHT_PX, context.palette),
            "barmode": "overlay",
            "hovermode": "x unified",
            "margin": {"l": 40, "r": 4, "t": 8, "b": 26},
            "xaxis": {
                "type": "date",
                "range": instants(ends, context.clock),
                "tickformat": "%H:%M",
                "hoverformat": f"%H:%M {in_plotly(context.clock.name(last))}",
                "nticks": 8,
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "showspikes": False,
                "ticklabelstandoff": 4,
            },
            "yaxis": count_axis(round_top(greatest), context.palette),
        },
    }
