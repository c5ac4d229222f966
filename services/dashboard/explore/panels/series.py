"""Views or visitors by bucket of minutes, with a rolling mean. A bar's customdata is the text of its `Focus`."""

from collections.abc import Sequence
from typing import Final

from services.dashboard.explore import captions, span_text
from services.dashboard.explore.choices import STEPS, Focus
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.counting.series import Series
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.cards.card import Card, Context, head, legend
from services.dashboard.kit.cards.chart import Figure, chart, count_axis, instants, layout, round_top
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import UNKNOWN, grouped, rate
from shared.events.time_units import MINUTE_MS

_HEIGHT_PX: Final = 396


def draw(found: Exploration, context: Context) -> Card:
    """The card."""
    focus, noun = found.choices.focus, captions.measure(found)
    title = head(
        f"{noun} by {STEPS[found.series.step_minutes]}",
        captions.window_and_zone(found, context.clock),
        legend(_legend(found, context.palette)),
    )
    bars = figure(
        found.series, noun.lower(), found.rolling, focus.span if focus else None, context.palette, context.clock
    )
    return Card(
        name="series",
        parts=(title, chart(bars, _spoken(found.series, noun), is_pickable=True)),
        columns=8,
        height_px=484,
        phone_height_px=508,
    )


def _legend(found: Exploration, palette: Palette) -> list[tuple[str, str, str]]:
    bars = ("var(--accent)", captions.measure(found).lower(), "")
    if not found.rolling:
        return [bars]
    latest = next((mean for mean in reversed(found.rolling) if mean is not None), None)
    number = UNKNOWN if latest is None else rate(latest)
    return [bars, (palette.series[1], f"mean of {found.choices.rolling_minutes} min", number)]


def figure(
    series: Series,
    noun: str,
    rolling: Sequence[float | None],
    focus: Span | None,
    palette: Palette,
    clock: Clock = UTC_CLOCK,
) -> Figure:
    """A bar for each bucket, in full colour inside the focus, hatched when unknown; a line for the rolling mean."""
    step_ms = series.step_minutes * MINUTE_MS
    spans = [series.span(place) for place in range(len(series.counts))]
    starts = [span.first_minute * MINUTE_MS for span in spans]
    ends = [starts[0], starts[-1] + step_ms] if starts else []
    # In one call, so that all have the same UTC offset where clocks change.
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
        "text": [in_plotly(span_text.with_utc(span, clock)) for span in spans],
        "textposition": "none",
        "hovertemplate": "%{text}<br><b>%{y:,}</b> " + noun + "<extra></extra>",
    }
    unknown = [place for place, count in enumerate(series.counts) if count is None]
    gaps = {
        "type": "bar",
        "name": "unknown",
        "x": [middles[place] for place in unknown],
        "y": [end] * len(unknown),
        "width": step_ms,
        "marker": {
            "color": palette.line,
            "pattern": {"shape": "/", "fgcolor": palette.muted, "size": 7, "solidity": 0.15},
        },
        "opacity": 0.55,
        "hovertemplate": "unknown<extra></extra>",
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
        **layout(_HEIGHT_PX, palette),
        "barmode": "overlay",
        "hovermode": "x",
        "barcornerradius": 3 if len(starts) < 100 else 0,
        "margin": {"l": 44, "r": 4, "t": 8, "b": 26},
        "xaxis": {
            "fixedrange": True,
            "zeroline": False,
            "showgrid": False,
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


def _spoken(counts: Series, noun: str) -> str:
    """The bars for screen readers."""
    known = [count for count in counts.counts if count is not None]
    if not known:
        return f"{noun} by time: unknown"
    ends = f"{grouped(min(known))} to {grouped(max(known))}, the latest {grouped(known[-1])}"
    return f"{noun} by time: {len(known)} bars, {ends}"
