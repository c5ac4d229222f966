"""What all charts share. A figure is Plotly's own JSON, `{"data": […], "layout": {…}}`. Pure; instants are epoch ms.

Figures are plain dictionaries, because Plotly's Figure objects take 50 ms per page and second. The tests check every
property with them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

import msgspec

from services.dashboard.kit import theme
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import grouped

Figure = dict[str, Any]

_ROUND_TOPS: Final = (2, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as Plotly JSON, and its text for screen readers."""

    figure_json: str
    label: str
    height_px: int
    is_pickable: bool = False  # a click on a bar or cell reports its customdata to the page


def chart(figure: Figure, label: str, *, is_pickable: bool = False) -> Chart:
    """Encode a figure, whose layout has its height."""
    return Chart(msgspec.json.encode(figure).decode(), label, figure["layout"]["height"], is_pickable)


def layout(height_px: int, palette: Palette) -> dict[str, Any]:
    """The part of a layout that all figures share."""
    return {
        "height": height_px,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": theme.FONT, "size": 13, "color": palette.muted},
        "showlegend": False,
        "barcornerradius": 3,
        "dragmode": False,
        "uirevision": "kept",  # keep the hover label when the figure is redrawn
        "hoverlabel": {
            "bgcolor": palette.card,
            "bordercolor": palette.line,
            "font": {"family": theme.FONT, "size": 14, "color": palette.ink},
        },
    }


def round_top(greatest: int) -> int:
    """The end of an axis from 0: the least round even number that holds `greatest`, so that it rarely changes."""
    scale = 1
    while greatest > 10 * scale:
        scale *= 10
    return next(step * scale for step in _ROUND_TOPS if step * scale >= greatest)


def count_axis(end: int, palette: Palette) -> dict[str, Any]:
    """The axis next to bars of counts, from 0 to `end`."""
    return {
        "range": [0, end * 1.02],
        "tickvals": [0, end // 2, end],
        "ticktext": [short(0), short(end // 2), short(end)],
        "fixedrange": True,
        "gridcolor": palette.line,
        "zeroline": False,
        "ticklabelstandoff": 6,
    }


def amount_axis(amounts: Iterable[Decimal | int], palette: Palette) -> dict[str, Any]:
    """The axis next to bars of amounts: from 0, or from below it where one has more refunds than sales."""
    known = [Decimal(amount) for amount in amounts]
    top = round_top(_whole(max(known, default=Decimal(0))))
    least = _whole(-min(known, default=Decimal(0)))
    axis = count_axis(top, palette)
    if least > 0:
        low = -round_top(least)
        axis["range"] = [low, top * 1.02]
        axis["tickvals"], axis["ticktext"] = [low, *axis["tickvals"]], [f"−{short(-low)}", *axis["ticktext"]]
    return axis


def _whole(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


def instants(moments_ms: Sequence[int], clock: Clock) -> list[str]:
    """The clock's times without a zone, which Plotly shows unchanged in every viewer's zone.

    All use the UTC offset of the last one, so that no two bars overlap where clocks go back.
    """
    ahead_ms = clock.offset_ms(moments_ms[-1]) if moments_ms else 0
    return [
        datetime.fromtimestamp((moment + ahead_ms) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in moments_ms
    ]


def short(number: int) -> str:
    """A number next to an axis."""
    if number >= 1_000_000:
        return f"{number / 1_000_000:g}M"
    return f"{number / 1000:g}k" if number >= 10_000 else grouped(number)
