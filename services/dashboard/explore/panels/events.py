"""The latest events of the window, or those behind the number that the viewer picked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.dashboard.explore import captions, span_text
from services.dashboard.explore.counting.latest_events import latest_events
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import counted, grouped, text

EVENTS_SHOWN: Final = 100
_LONGEST_CELL: Final = 90


def draw(found: Exploration, context: Context) -> Card:
    """The card."""
    events = latest_events(found.focused, EVENTS_SHOWN)
    title = head("Events", _window(found, len(events), context.clock))
    rows = _table(events, found.columns.listed, context.clock)
    return Card(name="events", parts=(title, rows), height_px=520, phone_height_px=600, scroll_height_px=400)


def _window(found: Exploration, shown: int, clock: Clock) -> str:
    number = f"{counted(shown, 'latest event')} of {grouped(found.focused_views)}"
    focus = found.choices.focus
    if focus is None:
        return f"{captions.window(found, clock)} · {number} · pick a number, a bar or a name to see its events"
    about = f", {found.columns.breakdowns[focus.dimension].lower()} “{focus.name}”" if focus.dimension else ""
    return f"{span_text.with_zone(focus.span, clock)}{about} · {number}"


def _table(events: Sequence[Mapping[str, Any]], labels: Mapping[str, str], clock: Clock) -> str:
    if not events:
        return nothing("No event here. Pick another number or bar, or remove a filter.")
    zone = f" ({in_html(clock.name(events[0]['timestamp']))})"
    columns = [Column(label + zone if name == "timestamp" else label) for name, label in labels.items()]
    rows = "".join("<tr>" + "".join(_cell(event, name, clock) for name in labels) + "</tr>" for event in events)
    return table("raw", "Events", columns, rows, is_scrolled=True)


def _cell(event: Mapping[str, Any], name: str, clock: Clock) -> str:
    value = event[name]
    if name == "timestamp":
        return f'<td class="when">{clock.in_html(value, clock.full_time(value))}</td>'
    return f"<td>{in_html(text(value), _LONGEST_CELL)}</td>"
