"""Views or visitors by minute, hour, day or month, with the earlier window as a second curve."""

from collections.abc import Sequence
from typing import Any, Final

from services.dashboard.explore.choices import MEASURES
from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, known_count
from services.dashboard.explore.long_windows.choices import EARLIER, Interval
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.waiting import absent
from services.dashboard.kit.cards.card import Card, Context, Part, head, legend
from services.dashboard.kit.cards.chart import Figure, chart, count_axis, layout, round_top
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped

_HEIGHT_PX: Final = 396
_MOST_LABELS: Final = 7


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = found.seen.get("series")
    if seen is None:
        noun, interval = MEASURES[found.choices.measure], found.choices.interval
        return _card(head(f"{noun} by {interval}", ""), absent(found, "series", context.role))
    noun = MEASURES[seen.choices.measure]
    title = head(
        f"{noun} by {seen.choices.interval}",
        captions.window(seen.choices, seen.said, context.clock),
        legend(_legend(seen, context.palette)),
    )
    return _card(title, chart(figure(seen, context.palette, context.clock), _spoken(seen)))


def _card(title: str, part: Part) -> Card:
    return Card(name="series", parts=(title, part), columns=8, height_px=484, phone_height_px=508)


def figure(seen: Seen, palette: Palette, clock: Clock = UTC_CLOCK) -> Figure:
    """A bar for each bucket, hatched when unknown, and a line for the earlier window.

    The axis has places, not times: a day of 23 hours is as wide as one of 24.
    """
    said, choices = seen.said, seen.choices
    noun = MEASURES[choices.measure].lower()
    counts = _counts(seen, said.rows)
    earlier = [] if said.compare is None else _counts(seen, said.compare.rows)
    end = round_top(max([1, *(count or 0 for count in (*counts, *earlier))]))
    texts = _texts(said.rows, choices.interval, clock)
    data: list[dict[str, Any]] = [_bars(counts, texts, noun, palette), _gaps(counts, end, palette)]
    if said.compare is not None:
        data.append(_line(earlier[: len(counts)], _texts(said.compare.rows, choices.interval, clock), noun, palette))
    labelled = _labelled(said.rows, choices.interval, clock)
    whole = {
        **layout(_HEIGHT_PX, palette),
        "barmode": "overlay",
        "hovermode": "x",
        "barcornerradius": 3 if len(counts) < 100 else 0,
        "margin": {"l": 44, "r": 4, "t": 8, "b": 26},
        "xaxis": {
            "fixedrange": True,
            "zeroline": False,
            "showgrid": False,
            "range": [-0.5, len(counts) - 0.5],
            "tickvals": list(labelled),
            "ticktext": [in_plotly(text) for text in labelled.values()],
            "tickangle": 0,
            "showspikes": False,
            "ticklabelstandoff": 4,
        },
        "yaxis": count_axis(end, palette),
    }
    return {"data": data, "layout": whole}


def _counts(seen: Seen, rows: Sequence[Row]) -> list[int | None]:
    return [known_count(row, seen.said, seen.choices.measure) for row in rows]


def _legend(seen: Seen, palette: Palette) -> list[tuple[str, str, str]]:
    bars = ("var(--accent)", MEASURES[seen.choices.measure].lower(), "")
    if seen.said.compare is None:
        return [bars]
    return [bars, (palette.series[1], EARLIER.get(seen.choices.compare, ""), "")]


def _bars(counts: Sequence[int | None], texts: Sequence[str], noun: str, palette: Palette) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": noun,
        "x": list(range(len(counts))),
        "y": list(counts),
        "width": 0.84 if len(counts) < 100 else 0.94,
        "marker": {"color": palette.accent},
        "text": list(texts),
        "textposition": "none",
        "hovertemplate": "%{text}<br><b>%{y:,}</b> " + noun + "<extra></extra>",
    }


def _gaps(counts: Sequence[int | None], end: int, palette: Palette) -> dict[str, Any]:
    unknown = [place for place, count in enumerate(counts) if count is None]
    return {
        "type": "bar",
        "name": "unknown",
        "x": unknown,
        "y": [end] * len(unknown),
        "width": 1,
        "marker": {
            "color": palette.line,
            "pattern": {"shape": "/", "fgcolor": palette.muted, "size": 7, "solidity": 0.15},
        },
        "opacity": 0.55,
        "hovertemplate": "unknown<extra></extra>",
    }


def _line(counts: Sequence[int | None], texts: Sequence[str], noun: str, palette: Palette) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(counts) < 2 else "lines",
        "name": "earlier",
        "x": list(range(len(counts))),
        "y": list(counts),
        "line": {"color": palette.series[1], "width": 2.5},
        "text": list(texts[: len(counts)]),
        "hovertemplate": "%{text}<br><b>%{y:,}</b> " + noun + "<extra></extra>",
    }


def _texts(rows: Sequence[Row], interval: Interval, clock: Clock) -> list[str]:
    return [
        ""
        if row.start is None or row.end is None
        else in_plotly(captions.with_utc(row.start, row.end, interval, clock))
        for row in rows
    ]


def _labelled(rows: Sequence[Row], interval: Interval, clock: Clock) -> dict[int, str]:
    """The labels of the axis by place. Hours of several days have theirs at midnight."""
    starts = {place: row.start for place, row in enumerate(rows) if row.start is not None}
    is_one_day = interval in ("minute", "hour") and len(starts) <= (24 if interval == "hour" else 1440)
    if interval == "hour" and not is_one_day:
        starts = {place: start for place, start in starts.items() if captions.is_midnight(start, clock)}
    step = max(1, -(-len(starts) // _MOST_LABELS))
    kept = list(starts.items())[::step]
    return {place: captions.on_axis(start, interval, clock, is_one_day=is_one_day) for place, start in kept}


def _spoken(seen: Seen) -> str:
    """The bars for screen readers."""
    noun = MEASURES[seen.choices.measure]
    known = [count for count in _counts(seen, seen.said.rows) if count is not None]
    if not known:
        return f"{noun} by {seen.choices.interval}: unknown"
    ends = f"{grouped(min(known))} to {grouped(max(known))}, the latest {grouped(known[-1])}"
    return f"{noun} by {seen.choices.interval}: {len(known)} bars, {ends}"
