"""A heatmap of views by name and bucket of minutes. A cell's customdata is the text of its `Focus`."""

from typing import Final

from services.dashboard.explore import captions, span_text
from services.dashboard.explore.choices import STEPS, Focus
from services.dashboard.explore.counting.distributions import Density
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.exploration import DENSITY_ROWS, Exploration
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.chart import Figure, chart, instants, layout
from services.dashboard.kit.colour_scale import least_colour
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from shared.events.time_units import MINUTE_MS

_HEIGHT_PX: Final = 412
_LABEL_LENGTH: Final = 15
_FIXED: Final = {"fixedrange": True, "zeroline": False, "showgrid": False}


def draw(found: Exploration, context: Context) -> Card:
    """The card."""
    dimension = found.choices.density
    title = f"Views by {STEPS[found.density.step_minutes]} and {found.columns.breakdowns[dimension].lower()}"
    window = captions.window_and_zone(found, context.clock)
    heatmap = figure(found.density, dimension, context.palette, context.clock)
    return Card(
        name="density",
        parts=(
            head(title, f"{window} · deeper colour is more"),
            chart(heatmap, f"{title}: {', '.join(found.density.names)}", is_pickable=True),
        ),
        columns=8,
        height_px=500,
        phone_height_px=540,
    )


def figure(density: Density, dimension: str, palette: Palette, clock: Clock = UTC_CLOCK) -> Figure:
    """Rows of names, columns of buckets; a deeper colour is more events."""
    step = density.step_minutes
    spans = [Span(density.first_minute + (place + 1) * step, step) for place in range(density.counts.shape[1])]
    labels = [in_plotly(name, 40) for name in density.names]
    picks = [[str(Focus(span, dimension, name)) for span in spans] for name in density.names]
    times = [in_plotly(span_text.with_utc(span, clock)) for span in spans]
    picture = {
        "type": "heatmap",
        "x": instants([span.first_minute * MINUTE_MS + step * MINUTE_MS // 2 for span in spans], clock),
        "y": list(range(len(labels))),
        "z": density.counts.tolist(),
        "zmin": 0,
        "zmax": max(1, int(density.counts.max(initial=0))),
        "colorscale": [[0, palette.page], [0.001, least_colour(palette)], [1, palette.accent]],
        "showscale": False,
        "xgap": 1,
        "ygap": 2,
        "customdata": picks,
        "text": [[f"{label}<br>{time}" for time in times] for label in labels],
        "hovertemplate": "%{text}<br><b>%{z:,}</b> views<extra></extra>",
    }
    whole = {
        **layout(_HEIGHT_PX, palette),
        "margin": {"l": 112, "r": 4, "t": 4, "b": 26},
        "xaxis": {**_FIXED, "type": "date", "tickformat": "%H:%M", "nticks": 9, "ticks": "", "ticklabelstandoff": 4},
        "yaxis": {
            **_FIXED,
            "tickvals": list(range(len(labels))),
            "ticktext": [in_plotly(name, _LABEL_LENGTH) for name in density.names],
            "range": [DENSITY_ROWS - 0.5, -0.5],  # always the same height of a row
            "ticks": "",
            "ticklabelstandoff": 8,
            "tickfont": {"color": palette.ink, "size": 14},
        },
    }
    return {"data": [picture], "layout": whole}
