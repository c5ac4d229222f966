"""Visitors by device: the distinct ones of the last 10 minutes by device type, as a ring and its legend."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Card, Context, Tab, head
from services.dashboard.kit.cards.chart import Figure, chart, layout
from services.dashboard.kit.cards.table import swatch
from services.dashboard.kit.escaping import in_html, in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.wording import counted, grouped, share
from services.dashboard.live import listings
from services.dashboard.live.listings import Listing
from shared.rollups.contract import Snapshot

_HEIGHT_PX: Final = 216
_LEGEND_MORE_PX: Final = 18  # than a listing of ten, on a phone

_LISTINGS: Final = (
    Listing(
        name="browsers",
        label="Browsers",
        title="Browsers",
        noun="Browser",
        attribute="browsers_1h",
        empty="",
        least_names=1,
    ),
    Listing(
        name="systems",
        label="Systems",
        title="Operating systems",
        noun="System",
        attribute="operating_systems_1h",
        empty="",
        least_names=1,
    ),
)


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    counts = snapshot.windows.devices_10m
    label = f"{counted(sum(counts.values()), 'visitor')} by device in the last 10 minutes"
    title = head("Visitors by device", "Last 10 minutes · distinct")
    devices = Tab("devices", "Devices", (title, chart(figure(counts, context.palette), label), _legend(counts)))
    card = listings.card("devices", [devices, *listings.tabs(_LISTINGS, snapshot, context)], columns=4)
    return replace(card, phone_height_px=(card.phone_height_px or 0) + _LEGEND_MORE_PX)


def figure(counts: Mapping[str, int], palette: Palette) -> Figure:
    """A ring of the device types in a fixed order, with their total in the middle; an empty ring for none."""
    names = order(counts)
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
    noun = "visitor" if total == 1 else "visitors"
    return {
        "data": [ring],
        "layout": {
            **layout(_HEIGHT_PX, palette),
            "margin": {"l": 0, "r": 0, "t": 8, "b": 8},
            "annotations": [
                {**middle, "y": 0.55, "text": f"<b>{grouped(total)}</b>", "font": {"size": 34, "color": palette.ink}},
                {**middle, "y": 0.37, "text": noun, "font": {"size": 14, "color": palette.muted}},
            ],
        },
    }


def order(counts: Mapping[str, int]) -> list[str]:
    """The device types in the palette's order, unknown ones last, so that slices never change places."""
    known = list(theme.LIGHT.devices)
    return sorted(counts, key=lambda name: (known.index(name) if name in known else len(known), name))


def _legend(counts: Mapping[str, int]) -> str:
    """Each device type with its visitors and share."""
    total = sum(counts.values())
    rows = "".join(
        f'<tr><th scope="row">{swatch(theme.device_variable(name))}{in_html(name, 20)}</th>'
        f'<td class="figure">{grouped(counts[name])}</td>'
        f'<td class="figure muted">{share(counts[name], total)}</td></tr>'
        for name in order(counts)
    )
    return f'<table class="swatches devices"><tbody>{rows}</tbody></table>'
