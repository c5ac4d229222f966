"""The figures of the explore page: counts in, Plotly figure out. Pure; like those of `charts`.

A bar or cell that can be picked has in its customdata the text of a `Focus`.
"""

from collections.abc import Sequence
from typing import Any, Final

from services.dashboard.explore import stretches
from services.dashboard.explore.distributions import Density, Histogram
from services.dashboard.explore.exploration import Focus
from services.dashboard.explore.selection import Span
from services.dashboard.explore.series import Series
from services.dashboard.kit.cards.chart import Figure, count_axis, instants, layout, round_top
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped
from shared.events.time_units import MINUTE_MS

HEIGHT_PX: Final = {"series": 396, "density": 412, "histogram": 178}

_LABEL_LENGTH: Final = 15
_ROWS_WITH_ROOM: Final = 12
_FIXED: Final = {"fixedrange": True, "zeroline": False, "showgrid": False}


def counts_over_time(
    series: Series,
    noun: str,
    rolling: Sequence[float | None],
    focus: Span | None,
    palette: Palette,
    clock: Clock = UTC_CLOCK,
) -> Figure:
    """A bar for each stretch, those in focus in full colour, a hatched one for what is not known; the rolling mean."""
    step_ms = series.step_minutes * MINUTE_MS
    spans = [series.span(place) for place in range(len(series.counts))]
    starts = [span.first_minute * MINUTE_MS for span in spans]
    ends = [starts[0], starts[-1] + step_ms] if starts else []
    # All at once, so that they are told with one distance from UTC also where clocks change.
    at = instants([*ends, *(start + step_ms // 2 for start in starts)], clock)
    axis, middles = at[:2], at[2:]
    top = max([*(count or 0 for count in series.counts), 1])
    end = round_top(top)
    bars = {
        "type": "bar",
        "name": noun,
        "x": middles,
        "y": list(series.counts),
        "width": step_ms * (0.84 if len(starts) < 100 else 0.94),
        "marker": {"color": [_bar_colour(span, focus, palette) for span in spans]},
        "customdata": [str(Focus(span)) for span in spans],
        "text": [in_plotly(stretches.with_utc(span, clock)) for span in spans],
        "textposition": "none",
        "hovertemplate": "%{text}<br><b>%{y:,}</b> " + noun + "<extra></extra>",
    }
    unknown = [place for place, count in enumerate(series.counts) if count is None]
    gaps = {
        "type": "bar",
        "name": "not known",
        "x": [middles[place] for place in unknown],
        "y": [end] * len(unknown),
        "width": step_ms,
        "marker": {
            "color": palette.line,
            "pattern": {"shape": "/", "fgcolor": palette.muted, "size": 7, "solidity": 0.15},
        },
        "opacity": 0.55,
        "hovertemplate": "not known<extra></extra>",
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "rolling mean",
        "x": middles,
        "y": list(rolling),
        "line": {"color": palette.series[1], "width": 2.5},
        "hovertemplate": "rolling mean <b>%{y:,.1f}</b><extra></extra>",
    }
    whole = {
        **layout(HEIGHT_PX["series"], palette),
        "barmode": "overlay",
        "hovermode": "x",
        "barcornerradius": 3 if len(starts) < 100 else 0,
        "margin": {"l": 44, "r": 4, "t": 8, "b": 26},
        "xaxis": {
            **_FIXED,
            "type": "date",
            "range": axis or None,
            "tickformat": "%H:%M",
            "nticks": 9,
            "ticklabelstandoff": 4,
        },
        "yaxis": count_axis(end, palette),
    }
    return {"data": [bars, gaps, *([line] if rolling else [])], "layout": whole}


def _bar_colour(span: Span, focus: Span | None, palette: Palette) -> str:
    in_focus = focus is None or (focus.first_minute < span.end_minute and span.first_minute < focus.end_minute)
    return palette.accent if in_focus else palette.accent_soft


def density(density: Density, dimension: str, palette: Palette, clock: Clock = UTC_CLOCK) -> Figure:
    """Rows of names, columns of stretches of minutes, the deeper the colour the more events."""
    step = density.step_minutes
    spans = [Span(density.first_minute + (place + 1) * step, step) for place in range(density.counts.shape[1])]
    labels = [in_plotly(name, 40) for name in density.names]
    picks = [[str(Focus(span, dimension, name)) for span in spans] for name in density.names]
    times = [in_plotly(stretches.with_utc(span, clock)) for span in spans]
    picture = {
        "type": "heatmap",
        "x": instants([span.first_minute * MINUTE_MS + step * MINUTE_MS // 2 for span in spans], clock),
        "y": list(range(len(labels))),
        "z": density.counts.tolist(),
        "zmin": 0,
        "zmax": max(1, int(density.counts.max(initial=0))),
        "colorscale": [[0, palette.page], [0.001, _between(palette)], [1, palette.accent]],
        "showscale": False,
        "xgap": 1,
        "ygap": 2,
        "customdata": picks,
        "text": [[f"{label}<br>{time}" for time in times] for label in labels],
        "hovertemplate": "%{text}<br><b>%{z:,}</b> views<extra></extra>",
    }
    whole = {
        **layout(HEIGHT_PX["density"], palette),
        "margin": {"l": 112, "r": 4, "t": 4, "b": 26},
        "xaxis": {**_FIXED, "type": "date", "tickformat": "%H:%M", "nticks": 9, "ticks": "", "ticklabelstandoff": 4},
        "yaxis": {
            **_FIXED,
            "tickvals": list(range(len(labels))),
            "ticktext": [in_plotly(name, _LABEL_LENGTH) for name in density.names],
            "range": [_ROWS_WITH_ROOM - 0.5, -0.5],  # room for all, so that a row keeps its height
            "ticks": "",
            "ticklabelstandoff": 8,
            "tickfont": {"color": palette.ink, "size": 14},
        },
    }
    return {"data": [picture], "layout": whole}


def histogram(histogram: Histogram, noun: str, colour: str, palette: Palette) -> Figure:
    """A bar for each class, its count above it."""
    places = list(range(len(histogram.labels)))
    bars = {
        "type": "bar",
        "x": places,
        "y": list(histogram.counts),
        "width": 0.78,
        "marker": {"color": colour},
        "text": [_brief(count) if count else "" for count in histogram.counts],
        "textposition": "outside",
        "textfont": {"color": palette.ink, "size": 12},
        "cliponaxis": False,
        "customdata": [in_plotly(label) for label in histogram.labels],
        "hovertemplate": "%{customdata}: <b>%{y:,}</b> " + noun + "<extra></extra>",
    }
    whole = {
        **layout(HEIGHT_PX["histogram"], palette),
        "margin": {"l": 4, "r": 4, "t": 20, "b": 24},
        "xaxis": {
            **_FIXED,
            "tickvals": places,
            "ticktext": list(histogram.labels),
            "tickangle": 0,
            "tickfont": {"size": 11},
            "range": [-0.5, len(places) - 0.5],
        },
        "yaxis": {"visible": False, "fixedrange": True, "range": [0, max([1, *histogram.counts])]},
    }
    return {"data": [bars], "layout": whole}


def _brief(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f}M"
    return f"{count / 1000:.1f}k" if count >= 10_000 else grouped(count)


def _between(palette: Palette) -> str:
    """The colour of the least count that is not 0, a third of the way from none to most."""
    ends = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in (palette.page, palette.accent)]
    mixed: Any = [round(none + (most - none) * 0.14) for none, most in zip(*ends, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def spoken(counts: Series, noun: str) -> str:
    """What a screen reader says of the bars."""
    known = [count for count in counts.counts if count is not None]
    if not known:
        return f"{noun} by time: none known"
    ends = f"{grouped(min(known))} to {grouped(max(known))}, the latest {grouped(known[-1])}"
    return f"{noun} by time: {len(known)} bars, {ends}"
