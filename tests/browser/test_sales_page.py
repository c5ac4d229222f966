"""The Sales page in a real browser, with history in a real PostgreSQL and its API on a real socket."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

from services.history.rows import build_batch
from services.history.sql.migrating import migrate
from services.history.sql.store import Store
from shared.events.enriched import decode_enriched, encode_enriched
from shared.events.schema import EnrichedEvent
from shared.privacy.erasures import NO_ERASURES
from shared.runtime.redis_client import connect
from shared.streams.event_log import Assignment, Record
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_accessibility import axe as axe
from tests.browser.test_live_page import FITTING
from tests.support.axe.violations import violations
from tests.support.history_api import Client, serving
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NOW: Final = datetime.now(UTC)
# A zone in which it is noon now, so that no day ends during a test.
OFFSET: Final = timedelta(hours=12 - NOW.hour)
ZONE: Final = f"Etc/GMT{NOW.hour - 12:+}"
MIDNIGHT: Final = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - OFFSET


def sale(at: datetime, value: str, order: str, **fields: Any) -> EnrichedEvent:
    """A purchase in euros, unless the fields say otherwise."""
    return EnrichedEvent(
        timestamp=round(at.timestamp() * 1000),
        userId=f"buyer of {order}",
        **{"eventType": "purchase", "value": value, "orderId": order, "eventId": order, **fields},
    )


BOOK: Final = {"productId": "P1", "category": "Books", "platform": "web"}
COAT: Final = {"productId": "P2", "category": "Coats", "platform": "app"}
PAST: Final = [
    sale(MIDNIGHT - timedelta(days=9), "1.00", "first"),
    sale(MIDNIGHT - timedelta(days=6, hours=20), "50.25", "last week", cost="0.25", **BOOK),
    sale(MIDNIGHT - timedelta(hours=23), "20.00", "yesterday", cost="5.00", **BOOK),
    sale(MIDNIGHT - timedelta(hours=1), "999.00", "late yesterday", **BOOK),
]
TODAY: Final = [
    sale(MIDNIGHT + timedelta(hours=1), "40.10", "book", cost="20.05", quantity=2, **BOOK),
    sale(MIDNIGHT + timedelta(hours=2), "60.20", "coat", cost="10.10", quantity=1, currency="EUR", **COAT),
    sale(MIDNIGHT + timedelta(hours=3), "-20.10", "back", eventType="refund", cost="-10.05", **BOOK),
    sale(MIDNIGHT + timedelta(hours=3), "9.99", "dollars", currency="USD", **BOOK),
]


def keep(url: str, events: Sequence[EnrichedEvent]) -> None:
    """Store the events as the service does, after those that are stored."""
    with closing(Store(lambda: url, "enriched")) as history:
        place = history.claim(Assignment(0, 0, 1 << 40, "a"))
        now_ms = round(time.time() * 1000)
        records = [
            Record(0, place.next_offset + number, now_ms, None, encode_enriched(event))
            for number, event in enumerate(events)
        ]
        history.write(build_batch(records, decode_enriched, NO_ERASURES.erases), {0: place})


@pytest.fixture
def api(history_url: str) -> Iterator[Client]:
    migrate(lambda: history_url)
    with serving(history_url) as client:
        yield client


@pytest.fixture
def selling(api: Client, tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard of that history."""
    settings = {"HISTORY_API_URL": f"http://127.0.0.1:{api.port}"}
    with running_valkey(tmp_path, free_port()) as url, connect(url) as client:
        publish(client, sample_rollup((int(time.time()) + 600) * 1000))
        port = client.connection_pool.connection_kwargs["port"]
        with running_dashboard(port, tmp_path / "dashboard.log", settings=settings) as dashboard:
            yield dashboard


def figures(visit: Visit) -> dict[str, list[str]]:
    """Number and facts by label."""
    texts = visit.page.evaluate(
        "[...document.querySelectorAll('.kpi')]"
        ".map(figure => [...figure.querySelectorAll('h2, .number, p')].map(line => line.textContent))"
    )
    return {label: [line for line in lines if line] for label, *lines in texts}


def rows(visit: Visit, card: str) -> list[str]:
    texts = visit.page.locator(f".card-{card} tbody tr").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def test_known_sales_are_on_the_page_and_a_new_one_appears_by_itself(
    axe: str, history_url: str, selling: Dashboard, chromium: Browser
) -> None:
    keep(history_url, [*PAST, *TODAY])
    with visiting(chromium, selling.url, timezone_id=ZONE) as visit:
        visit.open("/")
        visit.page.get_by_role("link", name="Sales").click()
        visit.page.wait_for_selector(".card-by-hour .main-svg")
        assert figures(visit) == {
            "Revenue today": ["€80.20", "▲up 301 % on yesterday", "▲up 60 % on last week"],
            "Profit today": ["€60.10", "▲up 301 % on yesterday", "▲up 20 % on last week"],
            "Orders today": ["2", "▲up 100 % on yesterday", "▲up 100 % on last week"],
            "Average order": ["€50.15", "sales ÷ orders", "▲up 151 % on yesterday"],
            "Margin": ["74.9 %", "profit ÷ revenue"],
            "Refunds": ["€20.10", "1 refund", "€0.00 by now yesterday"],
            "Pieces": ["3", "sold today", "1.5 per order"],
        }
        assert rows(visit, "categories") == ["Coats €60.20 €50.10 1", "Books €20.00 €10.00 1"]
        assert rows(visit, "platforms") == ["app €60.20 €50.10 1", "web €20.00 €10.00 1"]
        assert rows(visit, "products-by-profit") == ["Product P2 €60.20 €50.10 1", "Product P1 €20.00 €10.00 1"]
        assert rows(visit, "refunds") == ["Product P1 €20.10 1 €40.10 1"]
        assert rows(visit, "currencies") == ["USD $9.99 – 1"]
        keep(history_url, [sale(datetime.now(UTC), "100.00", "new", cost="10.00", **BOOK)])
        eventually(lambda: figures(visit)["Revenue today"][0] == "€180.20", "the new sale", 60)
        eventually(lambda: rows(visit, "products-by-revenue")[0] == "Product P1 €120.00 €100.00 2", "its product", 60)
        visit.wait_for_standing("live")
        assert violations(visit.page, axe) == []
        visit.page.emulate_media(color_scheme="dark")
        eventually(lambda: "14, 18, 23" in background(visit), "the dark colours", 60)
        visit.page.wait_for_selector(".card-by-hour .main-svg")
        assert violations(visit.page, axe) == []
        for width in (390, 800):
            visit.page.set_viewport_size({"width": width, "height": 900})
            fits = {"sideways": 0, "cut": []}
            eventually(lambda: visit.page.evaluate(FITTING) == fits, f"a fit at {width} px", 60)  # noqa: B023
        assert (visit.errors, visit.foreign_requests) == ([], [])


def background(visit: Visit) -> str:
    return str(visit.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor"))
