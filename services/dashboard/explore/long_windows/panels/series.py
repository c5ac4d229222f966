"""A figure by minute, hour, day or month, with the earlier window as a second curve."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from services.dashboard.explore.long_windows import captions
from services.dashboard.explore.long_windows.answers import Row, known_number
from services.dashboard.explore.long_windows.choices import EARLIER, Interval
from services.dashboard.explore.long_windows.found import Found, Seen
from services.dashboard.explore.long_windows.measures import LABELS, Number, written
from services.dashboard.explore.long_windows.picks import zoom_pick
from services.dashboard.explore.long_windows.waiting import absent
from services.dashboard.explore.long_windows.zoom import FINER, zoom_text
from services.dashboard.kit.cards.card import Card, Context, Part, head, legend
from services.dashboard.kit.cards.chart import Figure, amount_axis, chart, layout
from services.dashboard.kit.escaping import in_plotly
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock

_HEIGHT_PX: Final = 396
_MOST_LABELS: Final = 7
_MINUTE_STEPS: Final = (1, 5, 10, 15, 30, 60, 120, 240)


def draw(found: Found, context: Context) -> Card:
    """The card."""
    seen = found.seen.get("series")
    if seen is None:
        noun, interval = LABELS[found.choices.measure], found.choices.interval
        return _card(head(f"{noun} by {interval}", ""), absent(found, "series", context.role))
    noun, interval = LABELS[seen.choices.measure], seen.choices.interval
    window = captions.window(seen.choices, seen.said, context.clock)
    finer = FINER.get(interval)
    window += f" · running {interval} hatched" if any(_are_running(seen)) else ""
    window += f" · click a bar for its {finer}s" if finer else ""
    title = head(f"{noun} by {interval}", window, legend(_legend(seen, context.palette)))
    drawn = figure(seen, context.palette, context.clock)
    return _card(title, chart(drawn, _spoken(seen), is_pickable=finer is not None))


def _card(title: str, part: Part) -> Card:
    return Card(name="series", parts=(title, part), columns=8, height_px=484, phone_height_px=508)


def figure(seen: Seen, palette: Palette, clock: Clock = UTC_CLOCK) -> Figure:
    """A bar for each bucket, hatched when unknown or still running, and a line for the earlier window.

    A bar's customdata zooms to it. The axis has places, not times: a day of 23 hours is as wide as one of 24.
    """
    said, choices = seen.said, seen.choices
    counts = _counts(seen, said.rows)
    earlier = [] if said.compare is None else _counts(seen, said.compare.rows)
    axis = amount_axis([count for count in (*counts, *earlier) if count is not None], palette)
    data: list[dict[str, Any]] = [
        _bars(seen, counts, palette, clock),
        _gaps(counts, axis["tickvals"][-1], palette),
    ]
    if said.compare is not None:
        data.append(_line(seen, earlier[: len(counts)], said.compare.rows, palette, clock))
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
        "yaxis": axis,
    }
    return {"data": data, "layout": whole}


def _counts(seen: Seen, rows: Sequence[Row]) -> list[Number | None]:
    return [known_number(row, seen.said, seen.choices.measure) for row in rows]


def _legend(seen: Seen, palette: Palette) -> list[tuple[str, str, str]]:
    bars = ("var(--accent)", LABELS[seen.choices.measure].lower(), "")
    if seen.said.compare is None:
        return [bars]
    return [bars, (palette.series[1], EARLIER.get(seen.choices.compare, ""), "")]


def _bars(seen: Seen, counts: Sequence[Number | None], palette: Palette, clock: Clock) -> dict[str, Any]:
    rows, interval = seen.said.rows, seen.choices.interval
    picks = {} if interval not in FINER else {"customdata": [_zoom(row, interval, clock) for row in rows]}
    return {
        "type": "bar",
        "name": LABELS[seen.choices.measure].lower(),
        "x": list(range(len(counts))),
        "y": _heights(counts),
        "width": 0.84 if len(counts) < 100 else 0.94,
        "marker": {"color": palette.accent, "pattern": _running_pattern(seen, palette)},
        "textposition": "none",
        **_texts(seen, rows, counts, clock),
        **picks,
    }


def _running_pattern(seen: Seen, palette: Palette) -> dict[str, Any]:
    return {
        "fillmode": "overlay",
        "shape": ["/" if is_running else "" for is_running in _are_running(seen)],
        "fgcolor": palette.card,
        "size": 6,
        "solidity": 0.35,
    }


def _are_running(seen: Seen) -> list[bool]:
    """Of each bucket, whether history had read only part of it."""
    as_of = seen.said.as_of
    return [
        as_of is not None and row.start is not None and row.end is not None and row.start <= as_of < row.end
        for row in seen.said.rows
    ]


def _zoom(row: Row, interval: Interval, clock: Clock) -> str:
    return "" if row.start is None else zoom_pick(zoom_text(row.start, interval, clock))


def _heights(counts: Sequence[Number | None]) -> list[float | int | None]:
    return [float(count) if isinstance(count, Decimal) else count for count in counts]


def _gaps(counts: Sequence[Number | None], end: int, palette: Palette) -> dict[str, Any]:
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


def _line(
    seen: Seen, counts: Sequence[Number | None], rows: Sequence[Row], palette: Palette, clock: Clock
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(counts) < 2 else "lines",
        "name": "earlier",
        "x": list(range(len(counts))),
        "y": _heights(counts),
        "line": {"color": palette.series[1], "width": 2.5},
        **_texts(seen, rows[: len(counts)], counts, clock),
    }


def _texts(seen: Seen, rows: Sequence[Row], counts: Sequence[Number | None], clock: Clock) -> dict[str, Any]:
    """What hovering shows: the bucket and its figure."""
    choices = seen.choices
    return {
        "text": [
            ""
            if row.start is None or row.end is None
            else in_plotly(captions.with_utc(row.start, row.end, choices.interval, clock))
            for row in rows
        ],
        "hovertext": [
            "" if count is None else in_plotly(written(count, choices.measure, seen.said.currency)) for count in counts
        ],
        "hovertemplate": f"%{{text}}<br><b>%{{hovertext}}</b> {LABELS[choices.measure].lower()}<extra></extra>",
    }


def _labelled(rows: Sequence[Row], interval: Interval, clock: Clock) -> dict[int, str]:
    """The labels of the axis by place. Hours of several days have theirs at midnight."""
    starts = {place: row.start for place, row in enumerate(rows) if row.start is not None}
    is_one_day = interval in ("minute", "hour") and len(starts) <= (24 if interval == "hour" else 1440)
    if interval == "minute":
        step = next((own for own in _MINUTE_STEPS if own * _MOST_LABELS >= len(starts)), _MINUTE_STEPS[-1])
        starts = {place: start for place, start in starts.items() if captions.minute_of_day(start, clock) % step == 0}
    if interval == "hour" and not is_one_day:
        starts = {place: start for place, start in starts.items() if captions.is_midnight(start, clock)}
    step = max(1, -(-len(starts) // _MOST_LABELS))
    kept = list(starts.items())[::step]
    return {place: captions.on_axis(start, interval, clock, is_one_day=is_one_day) for place, start in kept}


def _spoken(seen: Seen) -> str:
    """The bars for screen readers."""
    measure, currency = seen.choices.measure, seen.said.currency
    title = f"{LABELS[measure]} by {seen.choices.interval}"
    known = [count for count in _counts(seen, seen.said.rows) if count is not None]
    if not known:
        return f"{title}: unknown"
    least, greatest, latest = (written(count, measure, currency) for count in (min(known), max(known), known[-1]))
    return f"{title}: {len(known)} bars, {least} to {greatest}, the latest {latest}"
