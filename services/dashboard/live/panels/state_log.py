"""State machine log: the ten latest transitions of special offers."""

from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import Clock
from shared.rollups.contract import Snapshot
from shared.rollups.model import StateLogEntry

_TITLE: Final = "State machine log"


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    return Card(
        name="log",
        parts=(head(_TITLE, context.site_wide("Ten latest transitions")) + _table(snapshot.state_log, context.clock),),
        columns=5,
        height_px=466,
        phone_height_px=560,
    )


def _table(entries: list[StateLogEntry], clock: Clock) -> str:
    if not entries:
        return nothing("No transition yet. <code>clickpulse detect</code> writes this log.")
    zone = in_html(clock.name(entries[0].created * 1000))
    columns = (Column(f"Time ({zone})", width="92px"), Column("Transition"))
    return table("list wrapping log", _TITLE, columns, "".join(_row(entry, clock) for entry in entries))


def _row(entry: StateLogEntry, clock: Clock) -> str:
    message, created_ms = in_html(entry.message), entry.created * 1000
    when = clock.in_html(created_ms, clock.time(created_ms))
    return f'<tr><td class="muted">{when}</td><td title="{message}">{message}</td></tr>'
