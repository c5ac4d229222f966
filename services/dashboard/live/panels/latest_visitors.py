"""Latest visitors: the ten visitors of the last hour seen most recently."""

from typing import Final

from services.dashboard.kit import wording
from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, swatch, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.theme import device_variable
from services.dashboard.kit.wording import text
from shared.rollups.contract import Snapshot
from shared.rollups.model import PublishedEvent

_TITLE: Final = "Latest visitors"


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    rows = "".join(_row(event, context) for event in snapshot.latest_visitors)
    zone = in_html(context.clock.name(context.now_ms))
    columns = (
        Column("Seen", width="17%"),
        Column(f"Date and time ({zone})", width="28%"),
        Column("IP", width="19%"),
        Column("Country"),
        Column("Device", width="13%"),
    )
    content = table("list folding visitors", _TITLE, columns, rows) if rows else nothing("No visitor in the last hour.")
    return Card(
        name="visitors",
        parts=(head(_TITLE, context.site_wide("Last hour · ten latest")) + content,),
        columns=7,
        height_px=466,
        phone_height_px=628,
    )


def _row(event: PublishedEvent, context: Context) -> str:
    clock, timestamp_ms = context.clock, event.get("timestamp")
    seen = wording.UNKNOWN
    if isinstance(timestamp_ms, int):
        seen = wording.ago(max(0, context.now_ms - timestamp_ms) / 1000)
    device = text(event.get("deviceType"))
    return (
        f'<tr><td class="fold-side">{seen}</td>'
        f'<td class="fold-caption"><span class="muted">{clock.day(timestamp_ms)}</span> '
        f"{clock.in_html(timestamp_ms, clock.time(timestamp_ms))}</td>"
        f'<td class="fold-detail muted">{in_html(text(event.get("ip")), 45)}</td>'
        f'<td class="fold-title">{in_html(text(event.get("country")), 40)}</td>'
        f'<td class="fold-end">{swatch(device_variable(device))}{in_html(device, 12)}</td></tr>'
    )
