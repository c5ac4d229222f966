"""The explore page's HTML: its figures, its breakdown and its events. Pure.

A figure or row that can be picked is a button whose `data-pick` is the text of a `Focus`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.dashboard.explore import stretches
from services.dashboard.explore.distributions import Ranked
from services.dashboard.explore.exploration import MEASURES, NAMES, STEPS, Exploration, Focus
from services.dashboard.explore.selection import Span
from services.dashboard.explore.series import Measure
from services.dashboard.kit import wording
from services.dashboard.kit.csv_file import Cell
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped

EVENT_COLUMNS: Final = (
    ("Time", "timestamp"), ("Visitor", "visitor"), ("Product", "productId"), ("Category", "category"),
    ("Page", "page"), ("Country", "country"), ("Device", "deviceType"), ("Gender", "gender"), ("Age", "age"),
    ("Type", "eventType"),
)  # fmt: skip
SHOW_ALL: Final = "all"
_LONGEST_CELL: Final = 90


def figures(found: Exploration, measure: Measure, window: str, clock: Clock = UTC_CLOCK) -> str:
    """The key figures of the window: its views and visitors, and what is told of the series."""
    told, series = found.statistics, found.series
    step, noun, whole = STEPS[series.step_minutes], MEASURES[measure].lower(), Focus(found.span)
    per, small = f"{noun} per {step}", window[0].lower() + window[1:]
    visitors = f"{'≥ ' if found.selection.is_sampled else ''}{grouped(found.visitors)}"

    def hint_of(span: Span) -> str:
        return "" if clock == UTC_CLOCK else f" · {stretches.named(span, UTC_CLOCK)}"

    def of_stretch(title: str, count: int | None, place: int) -> str:
        if count is None:
            return _figure(title, wording.UNKNOWN, per, None)
        span = series.span(place)
        return _figure(title, grouped(count), f"{per}, {stretches.told(span, clock)}", Focus(span), hint_of(span))

    tiles = [
        _figure("Views", grouped(found.views), small, whole, hint_of(found.span)),
        _figure("Visitors", visitors, f"distinct, {small}", whole, hint_of(found.span)),
        of_stretch("Latest", told.latest, len(series.counts) - 1),
        _figure("Mean", wording.UNKNOWN if told.mean is None else wording.rate(told.mean), f"{per}, {small}", None),
        of_stretch("Min", told.least, told.least_place),
        of_stretch("Max", told.greatest, told.greatest_place),
        _change(told.change, told.before, step),
    ]
    return f'<div class="figures">{"".join(tiles)}</div>'


def _figure(title: str, number: str, foot: str, focus: Focus | None, hint: str = "", kind: str = "") -> str:
    shown = f'<span class="number {kind}" style="--digits:{max(4, len(number))}">{number}</span>'
    if focus is not None:
        shown = (
            f'<button type="button" data-pick="{exactly_in_html(str(focus))}" data-place="{title}" '
            f'aria-label="{title}: {number}. Show its events">{shown}</button>'
        )
    return f'<div class="kpi"><h2>{title}</h2>{shown}<p title="{in_html(foot + hint)}">{in_html(foot)}</p></div>'


def _change(change: int | None, before: int | None, step: str) -> str:
    foot = f"latest {step} to the one before"
    if change is None:
        return _figure("Change", wording.UNKNOWN, foot, None)
    share = f", {100 * change / before:+.0f}\u00a0%".replace("-", "−") if before else ""
    kind = "up" if change > 0 else "down" if change < 0 else ""
    return _figure("Change", f"{change:+,}".replace("-", "−"), foot + share, None, kind=kind)


def breakdown(ranked: Ranked, dimension: str, span: Span, slots: Mapping[str, int]) -> str:
    """The leading names of a dimension with views and visitors; a name is a button for its events."""
    if not ranked.names:
        return '<p class="nothing">No event with one. Take a filter away, or widen the window.</p>'
    greatest = max(1, *ranked.views)
    rows = "".join(
        _ranked(name, views, visitors, views / greatest, Focus(span, dimension, name), slots.get(name))
        for name, views, visitors in zip(ranked.names, ranked.views, ranked.visitors, strict=True)
    )
    title = NAMES[dimension]
    return (
        f'<table class="ranking breakdown" aria-label="Breakdown by {title.lower()}"><thead><tr>'
        f'<th scope="col">{title}</th><th scope="col" class="figure">Views</th>'
        f'<th scope="col" class="figure">Visitors</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _ranked(name: str, views: int, visitors: int, length: float, focus: Focus, slot: int | None) -> str:
    colour = "var(--accent)" if slot is None else f"var(--series-{slot})"
    shown = in_html(name)
    return (
        f'<tr><th scope="row" class="name" title="{shown}"><div class="line">'
        f'<i style="width:{100 * length:.1f}%;background:{colour}"></i>'
        f'<button type="button" data-pick="{exactly_in_html(str(focus))}" data-place="{shown}" '
        f'aria-label="{shown}: {grouped(views)} views. Show them">{shown}</button></div></th>'
        f'<td class="figure">{grouped(views)}</td><td class="figure muted">{grouped(visitors)}</td></tr>'
    )


def events(listed: Sequence[Mapping[str, Any]], clock: Clock = UTC_CLOCK) -> str:
    """Events, as they are listed."""
    if not listed:
        return '<p class="nothing">No event here. Pick another figure or bar, or take a filter away.</p>'
    zone = f" ({in_html(clock.name(listed[0]['timestamp']))})"
    titles = "".join(
        f'<th scope="col">{title}{zone if name == "timestamp" else ""}</th>' for title, name in EVENT_COLUMNS
    )
    rows = "".join(
        "<tr>" + "".join(_cell(event, name, clock) for _, name in EVENT_COLUMNS) + "</tr>" for event in listed
    )
    return f'<table class="raw" aria-label="Events"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>'


def _cell(event: Mapping[str, Any], name: str, clock: Clock) -> str:
    value = event[name]
    if name == "timestamp":
        return f'<td class="when">{clock.in_html(value, clock.full_time(value))}</td>'
    return f"<td>{in_html(wording.UNKNOWN if value in (None, '') else value, _LONGEST_CELL)}</td>"


def event_buttons(files: Sequence[str], *, is_focused: bool) -> str:
    """The buttons beside the events: back to all of them, and a download of each kind of file."""
    back = (
        f'<button type="button" data-pick="{SHOW_ALL}" data-place="{SHOW_ALL}">Show all</button>' if is_focused else ""
    )
    downloads = "".join(
        f'<button type="button" data-pick="{file}" data-place="{file}" aria-label="{file.capitalize()} as CSV">'
        f"{file.capitalize()}</button>"
        for file in files
    )
    return f'<div class="event-buttons">{back}<span>CSV</span>{downloads}</div>'


def event_cells(event: Mapping[str, Any]) -> list[Cell]:
    """An event as a row of a spreadsheet, its columns those of EVENT_COLUMNS."""
    return [UTC_CLOCK.full_time(event[name]) if name == "timestamp" else event[name] for _, name in EVENT_COLUMNS]
