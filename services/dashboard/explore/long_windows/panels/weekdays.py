"""A heatmap of mean views by weekday and hour."""

from typing import Final

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.found import Found
from services.dashboard.explore.long_windows.waiting import absent
from services.dashboard.explore.long_windows.weekdays import DAY_NAMES, HOURS, Week, week_of
from services.dashboard.kit.cards.card import Card, Context, Part, head
from services.dashboard.kit.cards.chart import Figure, chart, layout
from services.dashboard.kit.colour_scale import least_colour
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.wording import counted

_TITLE: Final = "Views by weekday and hour"
_HEIGHT_PX: Final = 292
_FIXED: Final = {"fixedrange": True, "zeroline": False, "showgrid": False}


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = found.seen.get("hours")
    if seen is None or "hours" in found.failures:
        return _card(head(_TITLE, ""), absent(found, "hours", context.role))
    week = week_of(seen.said, context.clock)
    window = captions.window(seen.choices, seen.said, context.clock)
    title = head(_TITLE, f"{window} · mean of an hour, deeper colour is more")
    return _card(title, chart(figure(week, context.palette), _spoken(week)))


def figure(week: Week, palette: Palette) -> Figure:
    """Rows of weekdays, columns of hours; hours without a complete one are empty."""
    picture = {
        "type": "heatmap",
        "x": list(range(HOURS)),
        "y": list(range(len(DAY_NAMES))),
        "z": [list(row) for row in week.means],
        "zmin": 0,
        "zmax": max(1, week.greatest),
        "colorscale": [[0, palette.page], [0.001, least_colour(palette)], [1, palette.accent]],
        "showscale": False,
        "xgap": 1,
        "ygap": 2,
        "text": [
            [f"{name} {hour:02}:00<br>mean of {counted(number, 'hour')}" for hour, number in enumerate(numbers)]
            for name, numbers in zip(DAY_NAMES, week.hours, strict=True)
        ],
        "hovertemplate": "%{text}<br><b>%{z:,.1f}</b> views<extra></extra>",
        "hoverongaps": False,
    }
    whole = {
        **layout(_HEIGHT_PX, palette),
        "margin": {"l": 48, "r": 4, "t": 4, "b": 26},
        "xaxis": {
            **_FIXED,
            "tickvals": list(range(0, HOURS, 3)),
            "ticktext": [f"{hour:02}:00" for hour in range(0, HOURS, 3)],
            "tickangle": 0,
            "ticks": "",
            "ticklabelstandoff": 4,
        },
        "yaxis": {
            **_FIXED,
            "tickvals": list(range(len(DAY_NAMES))),
            "ticktext": [name[:3] for name in DAY_NAMES],
            "range": [len(DAY_NAMES) - 0.5, -0.5],
            "ticks": "",
            "ticklabelstandoff": 8,
            "tickfont": {"color": palette.ink, "size": 14},
        },
    }
    return {"data": [picture], "layout": whole}


def _card(title: str, part: Part) -> Card:
    return Card(name="weekdays", parts=(title, part), height_px=380, phone_height_px=400)


def _spoken(week: Week) -> str:
    """The busiest hour for screen readers."""
    known = [
        (mean, f"{DAY_NAMES[day]} {hour:02}:00")
        for day, row in enumerate(week.means)
        for hour, mean in enumerate(row)
        if mean is not None
    ]
    if not known:
        return f"{_TITLE}: unknown"
    mean, name = max(known)
    return f"{_TITLE}: most on {name}, {mean:,.1f} views in an hour"
