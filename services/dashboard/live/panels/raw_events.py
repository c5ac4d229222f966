"""Raw data: the latest events of the last hour with all their fields."""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import counted, text
from shared.rollups.contract import Snapshot
from shared.rollups.model import PublishedEvent

_COLUMNS: Final = (
    ("Time", "timestamp"), ("Visitor", "userId"), ("Product", "productId"), ("Title", "title"),
    ("Category", "category"), ("Country", "country"), ("Device", "deviceType"), ("Gender", "gender"), ("Age", "age"),
    ("Born", "birthdate"), ("IP", "ip"), ("Original time", "original_timestamp"), ("Type", "eventType"),
    ("URL", "url"), ("Referrer", "referrer"), ("User agent", "userAgent"),
)  # fmt: skip
_TIMES: Final = {"timestamp", "original_timestamp"}
_LONGEST_CELL: Final = 90


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    events = snapshot.latest_events
    window = context.site_wide(f"Last hour · {counted(len(events), 'latest event')}")
    return Card(name="raw", parts=(head("Raw data", window), _table(events, context.clock)), height_px=480)


def _table(events: list[PublishedEvent], clock: Clock) -> str:
    """Newest first, with every field that any of the events has."""
    if not events:
        return nothing("No event in the last hour.")
    columns = [(title, name) for title, name in _COLUMNS if any(event.get(name) is not None for event in events)]
    zone = f" ({in_html(clock.name(events[0].get('timestamp')))})"
    titles = "".join(f'<th scope="col">{title}{zone if name in _TIMES else ""}</th>' for title, name in columns)
    rows = "".join("<tr>" + "".join(_cell(event, name, clock) for _, name in columns) + "</tr>" for event in events)
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="The latest events, all their fields">'
        f'<table class="raw"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(event: PublishedEvent, name: str, clock: Clock) -> str:
    value = event.get(name)
    if name in _TIMES:
        return f'<td class="when">{clock.in_html(value, clock.full_time(value))}</td>'
    return f"<td>{in_html(text(value), _LONGEST_CELL)}</td>"
