"""Categories: the most viewed categories of the last hour as bars, each in its own colour."""

from collections.abc import Mapping
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.chart import Figure, chart, layout
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.wording import grouped
from services.dashboard.live.shop_site import shows_products
from shared.rollups.contract import Snapshot

DRAWN: Final = 12

_HEIGHT_PX: Final = 384
_LABEL_LENGTH: Final = 17


def draw(snapshot: Snapshot, context: Context) -> Card | None:
    """The card; none on a site without products."""
    if not shows_products(snapshot):
        return None
    counts = snapshot.windows.categories_1h
    shown = min(len(counts), DRAWN)
    label = f"Views of {shown} categories in the last hour"
    return Card(
        name="categories",
        parts=(head("Categories", ranking.window(shown, len(counts))), chart(figure(counts, context), label)),
        columns=3,
        tablet_columns=6,
        height_px=ranking.HEIGHT_PX,
    )


def figure(counts: Mapping[str, int], context: Context) -> Figure:
    """A bar for each leading category, greatest on top."""
    palette = context.palette
    ranked = list(counts.items())[:DRAWN]
    places = list(range(len(ranked)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [count for _, count in ranked],
        "y": places,
        "width": 0.62,
        "marker": {"color": [palette.series[context.category_colours[name]] for name, _ in ranked]},
        "text": [grouped(count) for _, count in ranked],
        "textposition": "outside",
        "textfont": {"color": palette.ink, "size": 13},
        "cliponaxis": False,
        "customdata": [in_plotly(name) for name, _ in ranked],
        "hovertemplate": "%{customdata}: %{x:,} views<extra></extra>",
    }
    return {
        "data": [bars],
        "layout": {
            **layout(_HEIGHT_PX, palette),
            "margin": {"l": 118, "r": 52, "t": 4, "b": 4},
            "xaxis": {"visible": False, "fixedrange": True, "range": [0, max([1, *counts.values()])]},
            "yaxis": {
                "tickvals": places,
                "ticktext": [in_plotly(name, _LABEL_LENGTH) for name, _ in ranked],
                "range": [DRAWN - 0.5, -0.5],  # always space for all, so that a bar keeps its height
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "ticklabelstandoff": 8,
                "tickfont": {"color": palette.ink, "size": 14},
            },
        },
    }
