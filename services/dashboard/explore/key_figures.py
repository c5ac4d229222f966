"""The row of numbers above the panels. Pure, HTML out.

A number that has events behind it is a button whose `data-pick` is the text of a `Focus`.
"""

from services.dashboard.explore import captions, span_text
from services.dashboard.explore.choices import STEPS, Focus
from services.dashboard.explore.counting.selection import Span
from services.dashboard.explore.counting.series import Change
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit import wording
from services.dashboard.kit.escaping import exactly_in_html, in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped


def draw(found: Exploration, clock: Clock = UTC_CLOCK, *, is_pickable: bool = True) -> str:
    """The views and visitors of the window, and the statistics of the series; buttons if `is_pickable`."""
    statistics, series, window = found.statistics, found.series, captions.window(found, clock)
    step, noun, whole = STEPS[series.step_minutes], captions.measure(found).lower(), _focus(found.span, is_pickable)
    per, small = f"{noun} per {step}", window[0].lower() + window[1:]
    visitors = f"{'≥ ' if found.selection.is_sampled else ''}{grouped(found.visitors)}"

    def hint_of(span: Span) -> str:
        return "" if clock == UTC_CLOCK else f" · {span_text.with_zone(span, UTC_CLOCK)}"

    def of_bucket(title: str, count: int | None, place: int) -> str:
        if count is None:
            return _tile(title, wording.UNKNOWN, per, None)
        span = series.span(place)
        return _tile(
            title, grouped(count), f"{per}, {span_text.times(span, clock)}", _focus(span, is_pickable), hint_of(span)
        )

    mean = wording.UNKNOWN if statistics.mean is None else wording.rate(statistics.mean)
    tiles = [
        _tile("Views", grouped(found.views), small, whole, hint_of(found.span)),
        _tile("Visitors", visitors, f"distinct, {small}", whole, hint_of(found.span)),
        of_bucket("Latest", statistics.latest, len(series.counts) - 1),
        _tile("Mean", mean, f"{per}, {small}", None),
        of_bucket("Min", statistics.least, statistics.least_place),
        of_bucket("Max", statistics.greatest, statistics.greatest_place),
        _change(found.change),
    ]
    return f'<div class="figures">{"".join(tiles)}</div>'


def _focus(span: Span, is_pickable: bool) -> Focus | None:
    return Focus(span) if is_pickable else None


def _tile(title: str, number: str, foot: str, focus: Focus | None, hint: str = "", kind: str = "") -> str:
    shown = f'<span class="number {kind}" style="--digits:{max(4, len(number))}">{number}</span>'
    if focus is not None:
        shown = (
            f'<button type="button" data-pick="{exactly_in_html(str(focus))}" data-place="{title}" '
            f'aria-label="{title}: {number}. Show its events">{shown}</button>'
        )
    return f'<div class="kpi"><h2>{title}</h2>{shown}<p title="{in_html(foot + hint)}">{in_html(foot)}</p></div>'


def _change(change: Change) -> str:
    foot = f"latest {change.minutes} min vs. the {change.minutes} min before"
    if change.latest is None or change.before is None:
        return _tile("Change", wording.UNKNOWN, foot, None)
    difference = change.latest - change.before
    share = f", {wording.signed_percent(difference / change.before)}" if change.before else ""
    kind = "up" if difference > 0 else "down" if difference < 0 else ""
    return _tile("Change", f"{difference:+,}".replace("-", "−"), foot + share, None, kind=kind)
