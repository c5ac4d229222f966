"""Two histograms of the backlog: events per visitor, and age."""

from typing import Final

from services.dashboard.explore import captions
from services.dashboard.explore.counting.distributions import Histogram
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.chart import Figure, chart, layout
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.wording import grouped

_HEIGHT_PX: Final = 178
_FIXED: Final = {"fixedrange": True, "zeroline": False, "showgrid": False}


def draw(found: Exploration, context: Context) -> Card:
    """The card."""
    palette, backlog, noun = context.palette, captions.backlog(found, context.clock), captions.measure(found)
    per_visitor = figure(found.events_per_visitor, "visitors", palette.accent, palette)
    ages = figure(found.ages, noun.lower(), palette.series[2], palette)
    return Card(
        name="histograms",
        parts=(
            head("Events per visitor", f"Visitors · {backlog}"),
            chart(per_visitor, captions.spoken("Visitors by number of events", found.events_per_visitor)),
            head("Age", f"{noun} by years · {backlog}"),
            chart(ages, captions.spoken(f"{noun} by age", found.ages)),
        ),
        columns=4,
        height_px=500,
        phone_height_px=536,
    )


def figure(histogram: Histogram, noun: str, colour: str, palette: Palette) -> Figure:
    """A bar for each class with its count above."""
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
        **layout(_HEIGHT_PX, palette),
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
