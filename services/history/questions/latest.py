"""Single events, the latest first. Pure but for `run`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from services.history.questions.question import Filter
from services.history.questions.spans import DAY, Span, floored
from services.history.questions.state import Row, Run, State
from services.history.questions.statements import of_events
from services.history.questions.windows import iso
from shared.events.timestamps import FUTURE_TOLERANCE_MS

COLUMNS: Final = {
    "timestamp": "ts",
    "userId": "visitor_id",
    "site": "site_id",
    "eventType": "event_type_id",
    "productId": "product_id",
    "title": "title_id",
    "category": "category_id",
    "page": "page_id",
    "url": "url_id",
    "referrer": "referrer_id",
    "source": "source_id",
    "channel": "channel_id",
    "campaign": "campaign_id",
    "country": "country_id",
    "deviceType": "device_id",
    "browser": "browser_id",
    "operatingSystem": "operating_system_id",
    "gender": "gender_id",
    "age": "age",
    "platform": "platform_id",
    "currency": "currency_id",
    "value": "value",
    "cost": "cost",
    "quantity": "quantity",
    "orderId": "order_id",
}
"""What is answered of an event, with its column of `events`. Addresses and birth dates stay in SQL."""

NUMBERS: Final = ("age", "quantity")


async def latest_events(span: Span, state: State, filters: Sequence[Filter], limit: int, run: Run) -> list[Row]:
    """At most `limit` events of the span, the latest first, from one day (UTC) after the other."""
    rows: list[Row] = []
    end, first = span.end, max(span.start, state.events_from, state.since or span.end)
    if state.as_of is not None:  # no event is later than this, however far the span goes
        end = min(end, state.as_of + timedelta(milliseconds=FUTURE_TOLERANCE_MS + 1))
    while end > first and len(rows) < limit:
        start = max(first, floored(end - timedelta(microseconds=1), DAY))
        found = await run(of_events(COLUMNS.values(), Span(start, end), filters, limit - len(rows)))
        rows += ({name: _shown(value) for name, value in zip(COLUMNS, row, strict=True)} for row in found)
        end = start
    return rows


def _shown(value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return value
