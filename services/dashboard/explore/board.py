"""The explore page's content: an exploration made into HTML and figures. Pure."""

from dataclasses import dataclass
from typing import Final

from services.dashboard.explore import charts as explore_charts
from services.dashboard.explore import stretches
from services.dashboard.explore import tables as explore_tables
from services.dashboard.explore.distributions import Histogram
from services.dashboard.explore.exploration import (
    EVENTS_SHOWN,
    MEASURES,
    NAMES,
    STEPS,
    WINDOWS,
    Choices,
    Exploration,
    latest_events,
)
from services.dashboard.explore.selection import Span
from services.dashboard.kit import wording
from services.dashboard.kit.cards import card as cards
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.chart import chart as _chart
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted, grouped
from services.dashboard.sources.closed_minutes import ClosedMinutes
from shared.events.time_units import MINUTE_MS

_GAPS_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplorePanels:
    """The panels' HTML and charts, in the order of the page, and what they were counted from."""

    found: Exploration
    notes: str
    figures: str
    series_head: str
    series: Chart
    breakdown_head: str
    breakdown: str
    density_head: str
    density: Chart
    events_per_visitor_head: str
    events_per_visitor: Chart
    ages_head: str
    ages: Chart
    events_head: str
    events: str


def draw(
    minutes: ClosedMinutes,
    found: Exploration,
    choices: Choices,
    palette: Palette,
    slots: CategoryColours,
    clock: Clock = UTC_CLOCK,
) -> ExplorePanels:
    """Draw what was found in `minutes` for the viewer's choices, with the times of `clock` and colours of `slots`."""
    window = _window(choices.window_minutes, found.span, clock)
    zone = stretches.zone(found.span, clock)
    if choices.at_minute is None:
        window = f"Last {window}"
    step, density_step = STEPS[found.series.step_minutes], STEPS[found.density.step_minutes]
    backlog = f"{_window(choices.backlog_minutes, found.backlog, clock)} {zone}"
    name, of_row = NAMES[choices.breakdown].lower(), NAMES[choices.density].lower()
    shown, others = len(found.ranked.names), found.ranked.others
    slots_here = slots.of(found.ranked.names) if choices.breakdown == "category" else {}
    return ExplorePanels(
        found=found,
        notes=notes(minutes, found, clock),
        figures=explore_tables.figures(found, choices.measure, window, clock),
        series_head=cards.head(
            f"{MEASURES[choices.measure]} by {step}",
            f"{window}, {zone}",
            cards.legend(_legend(choices, found, palette)),
        ),
        series=_chart(
            explore_charts.counts_over_time(
                found.series,
                MEASURES[choices.measure].lower(),
                found.rolling,
                choices.focus.span if choices.focus else None,
                palette,
                clock,
            ),
            explore_charts.spoken(found.series, MEASURES[choices.measure]),
        ),
        breakdown_head=cards.head(
            f"Breakdown by {name}", window + (f" · {shown} of {grouped(shown + others)}" if others else "")
        ),
        breakdown=explore_tables.breakdown(found.ranked, choices.breakdown, found.span, slots_here),
        density_head=cards.head(f"Views by {density_step} and {of_row}", f"{window}, {zone} · deeper is more"),
        density=_chart(
            explore_charts.density(found.density, choices.density, palette, clock),
            f"Views by {density_step} and {of_row}: {', '.join(found.density.names)}",
        ),
        events_per_visitor_head=cards.head("Events per visitor", f"Visitors · {backlog}"),
        events_per_visitor=_chart(
            explore_charts.histogram(found.events_per_visitor, "visitors", palette.accent, palette),
            _spoken("Visitors by number of events", found.events_per_visitor),
        ),
        ages_head=cards.head("Age", f"{MEASURES[choices.measure]} by years · {backlog}"),
        ages=_chart(
            explore_charts.histogram(found.ages, choices.measure, palette.series[2], palette),
            _spoken(f"{MEASURES[choices.measure]} by age", found.ages),
        ),
        events_head=cards.head("Events", _events_of(found, choices, window, clock)),
        events=explore_tables.events(latest_events(found.focused, EVENTS_SHOWN), clock),
    )


def empty_notice() -> str:
    """What stands in place of the panels before the first segment."""
    return (
        '<div class="notice"><h1>No closed minute yet</h1><p>This page counts the events of minutes that are over. '
        "The first is here a few seconds after its end, and the page goes on by itself.</p>"
        "<dl><dt>Nothing on the live page either?</dt><dd>Send clicks with <code>clickpulse generate</code>, or start "
        "everything with <code>make demo</code>.</dd><dt>Numbers there, and none here?</dt><dd>See that "
        "<code>clickpulse aggregate</code> runs with <code>SEGMENT_HOURS</code> of 1 or more.</dd></dl></div>"
    )


def notes(minutes: ClosedMinutes, found: Exploration, clock: Clock = UTC_CLOCK) -> str:
    """What limits the numbers: an outage, a sample, the reach, gaps. Nothing when nothing does."""
    told = []
    if minutes.trouble is not None:
        since_ms, reason = minutes.trouble.since_ms, in_html(minutes.trouble.reason)
        since = clock.in_html(since_ms, clock.named_time(since_ms))
        told.append(("bad", f"No new minute could be read since {since}. <span>{reason}</span>"))
    if found.selection.is_sampled:
        sample = (
            "Busy minutes are here as a uniform sample: views are scaled up to all events; visitors, and events per "
            "visitor, are those of the sample, at least so many. A greater <code>SEGMENT_MAX_EVENTS</code> keeps all."
        )
        told.append(("", sample))
    if found.span.first_minute < minutes.first_minute:
        why = "as the memory for them is bounded" if minutes.left_out else "as segments reach no further back"
        told.append(("", f"Minutes before {_minute(minutes.first_minute, clock)} are not here, {why}."))
    if found.span.end_minute > minutes.end_minute:
        told.append(("", f"Minutes from {_minute(minutes.end_minute, clock)} on are not over yet."))
    gaps = [gap for gap in minutes.gaps if not gap.minute or gap.minute in found.unread]
    for gap in gaps[:_GAPS_NAMED]:
        where = f" of {_minute(gap.minute, clock)}, partition {gap.partition}," if gap.minute else ""
        told.append(("bad", f"A segment{where} cannot be read. <span>{in_html(gap.reason)}</span>"))
    if len(gaps) > _GAPS_NAMED:
        told.append(("bad", f"{counted(len(gaps) - _GAPS_NAMED, 'more segment')} cannot be read."))
    if not told:
        return ""
    return f'<ul class="notes">{"".join(f"<li class={kind!r}>{text}</li>" for kind, text in told)}</ul>'


def _minute(minute: int, clock: Clock) -> str:
    start_ms = minute * MINUTE_MS
    return clock.in_html(start_ms, in_html(f"{stretches.minute(minute, clock)} {clock.name(start_ms)}"))


def _legend(choices: Choices, found: Exploration, palette: Palette) -> list[tuple[str, str, str]]:
    noun = MEASURES[choices.measure].lower()
    if not found.rolling:
        return [("var(--accent)", noun, "")]
    latest = next((mean for mean in reversed(found.rolling) if mean is not None), None)
    figure = wording.UNKNOWN if latest is None else wording.rate(latest)
    return [("var(--accent)", noun, ""), (palette.series[1], f"mean of {choices.rolling_minutes} min", figure)]


def _events_of(found: Exploration, choices: Choices, window: str, clock: Clock) -> str:
    shown = min(len(found.focused), EVENTS_SHOWN)
    number = f"{counted(shown, 'latest event')} of {grouped(found.focused_views)}"
    focus = choices.focus
    if focus is None:
        return f"{window} · {number} · pick a figure, a bar or a name to see the events behind it"
    about = f", {NAMES[focus.dimension].lower()} “{focus.name}”" if focus.dimension else ""
    return f"{stretches.named(focus.span, clock)}{about} · {number}"


def _window(minutes: int, span: Span, clock: Clock) -> str:
    return f"{WINDOWS.get(minutes, f'{minutes} min')}, to {stretches.minute(span.end_minute, clock)}"


def _spoken(title: str, histogram: Histogram) -> str:
    classes = zip(histogram.labels, histogram.counts, strict=True)
    return f"{title}. {', '.join(f'{label}: {grouped(count)}' for label, count in classes)}"
