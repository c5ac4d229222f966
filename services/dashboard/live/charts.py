"""The figures: counts in, Plotly figure out. Pure; instants are epoch ms, shown by a clock.

A figure is Plotly's own JSON, `{"data": […], "layout": {…}}`, as plain dictionaries: plotly's Figure objects take 50 ms
for a board, which is new each second; the tests check every property with them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.dashboard.kit import theme
from services.dashboard.kit.cards.chart import Figure, count_axis, instants, layout, round_top
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped
from shared.events.time_units import HALF_HOUR_MS, MINUTE_MS

Trace = dict[str, Any]

MINUTES_DRAWN: Final = 15
CATEGORIES_DRAWN: Final = 12
HEIGHT_PX: Final = {"visits": 232, "sessions": 232, "devices": 216, "categories": 400}

_LABEL_LENGTH: Final = 17


def visits_per_minute(
    views: Mapping[int, int], visitors: Mapping[int, int], palette: Palette, clock: Clock = UTC_CLOCK
) -> Figure:
    """Events and, inside their bars, distinct visitors of the last 15 minutes; the last, running minute is hatched."""
    starts = sorted(views)[-MINUTES_DRAWN:]
    bars = [
        _bars(starts, views, "views", palette.accent_soft, palette, clock, width=0.86),
        _bars(starts, visitors, "visitors", palette.accent, palette, clock, width=0.5),
    ]
    top = max((views[start] for start in starts), default=0)
    return {"data": bars, "layout": _time_layout("visits", starts, MINUTE_MS, top, palette, clock)}


def visitors_per_half_hour(visitors: Mapping[int, int], palette: Palette, clock: Clock = UTC_CLOCK) -> Figure:
    """Distinct visitors of each half hour, the last of them running and hatched."""
    starts = sorted(visitors)
    bars = _bars(starts, visitors, "visitors", palette.accent, palette, clock, width=0.72)
    top = max(visitors.values(), default=0)
    return {"data": [bars], "layout": _time_layout("sessions", starts, HALF_HOUR_MS, top, palette, clock)}


def devices(counts: Mapping[str, int], palette: Palette) -> Figure:
    """A ring of the device types in a fixed order, with their total in the middle; an empty ring for none."""
    names = device_order(counts)
    total = sum(counts.values())
    colours = [theme.device_colour(palette, name) for name in names]
    ring = {
        "type": "pie",
        "labels": [in_plotly(name) for name in names] if total else ["none"],
        "values": [counts[name] for name in names] if total else [1],
        "marker": {"colors": colours if total else [palette.line], "line": {"color": palette.card, "width": 2}},
        "hole": 0.76,
        "sort": False,
        "direction": "clockwise",
        "textinfo": "none",
        **({"hovertemplate": "%{label}: %{value:,} (%{percent})<extra></extra>"} if total else {"hoverinfo": "skip"}),
    }
    middle = {"x": 0.5, "showarrow": False, "xanchor": "center", "yanchor": "middle"}
    noun = "device" if total == 1 else "devices"
    layout = {
        **_layout("devices", palette),
        "margin": {"l": 0, "r": 0, "t": 8, "b": 8},
        "annotations": [
            {**middle, "y": 0.55, "text": f"<b>{grouped(total)}</b>", "font": {"size": 34, "color": palette.ink}},
            {**middle, "y": 0.37, "text": noun, "font": {"size": 14, "color": palette.muted}},
        ],
    }
    return {"data": [ring], "layout": layout}


def device_order(counts: Mapping[str, int]) -> list[str]:
    """The device types of `counts` in the palette's order, unknown ones last, so that slices never swap places."""
    known = list(theme.LIGHT.devices)
    return sorted(counts, key=lambda name: (known.index(name) if name in known else len(known), name))


def categories(counts: Mapping[str, int], slots: Mapping[str, int], palette: Palette) -> Figure:
    """Events of the leading categories, greatest on top, each bar in its category's colour."""
    ranked = list(counts.items())[:CATEGORIES_DRAWN]
    places = list(range(len(ranked)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [count for _, count in ranked],
        "y": places,
        "width": 0.62,
        "marker": {"color": [palette.series[slots[name]] for name, _ in ranked]},
        "text": [grouped(count) for _, count in ranked],
        "textposition": "outside",
        "textfont": {"color": palette.ink, "size": 13},
        "cliponaxis": False,
        "customdata": [in_plotly(name) for name, _ in ranked],
        "hovertemplate": "%{customdata}: %{x:,} views<extra></extra>",
    }
    layout = {
        **_layout("categories", palette),
        "margin": {"l": 118, "r": 52, "t": 4, "b": 4},
        "xaxis": {"visible": False, "fixedrange": True, "range": [0, max([1, *counts.values()])]},
        "yaxis": {
            "tickvals": places,
            "ticktext": [in_plotly(name, _LABEL_LENGTH) for name, _ in ranked],
            "range": [CATEGORIES_DRAWN - 0.5, -0.5],  # always room for all, so that a bar keeps its height
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "ticklabelstandoff": 8,
            "tickfont": {"color": palette.ink, "size": 14},
        },
    }
    return {"data": [bars], "layout": layout}


def _bars(
    starts: Sequence[int],
    counts: Mapping[int, int],
    noun: str,
    colour: str,
    palette: Palette,
    clock: Clock,
    *,
    width: float,
) -> Trace:
    step = starts[1] - starts[0] if len(starts) > 1 else MINUTE_MS
    return {
        "type": "bar",
        "name": noun,
        "x": instants(starts, clock),
        "y": [counts.get(start, 0) for start in starts],
        "width": step * width,
        "marker": {
            "color": colour,
            "pattern": {
                "fillmode": "overlay",
                "shape": ["/" if start == starts[-1] else "" for start in starts],
                "fgcolor": palette.card,
                "size": 6,
                "solidity": 0.35,
            },
        },
        "customdata": [UTC_CLOCK.time(start)[:5] for start in starts],
        "hovertemplate": "%{y:,} " + noun + ("" if clock == UTC_CLOCK else " · %{customdata} UTC") + "<extra></extra>",
    }


def _time_layout(
    chart: str, starts: Sequence[int], step_ms: int, top: int, palette: Palette, clock: Clock
) -> dict[str, Any]:
    end = round_top(top)
    first, last = (starts[0], starts[-1]) if starts else (0, 0)
    ends = [first - step_ms * 6 // 10, last + step_ms * 6 // 10]
    return {
        **_layout(chart, palette),
        "barmode": "overlay",
        "hovermode": "x unified",
        "margin": {"l": 40, "r": 4, "t": 8, "b": 26},
        "xaxis": {
            "type": "date",
            "range": instants(ends, clock),
            "tickformat": "%H:%M",
            "hoverformat": f"%H:%M {in_plotly(clock.name(last))}",
            "nticks": 8,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "ticklabelstandoff": 4,
        },
        "yaxis": count_axis(end, palette),
    }


def _layout(chart: str, palette: Palette) -> dict[str, Any]:
    return layout(HEIGHT_PX[chart], palette)
