"""Explore's long windows in a real browser: a PostgreSQL with a week of events, history's API, and a dashboard."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.events.schema import EnrichedEvent
from shared.runtime.redis_client import connect
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_accessibility import axe as axe  # the fixture
from tests.browser.test_explore_page import FITTING, numbers, publish_hour, query
from tests.support.axe.violations import violations
from tests.support.history_api import by_name, counts, ms, serving, store
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def events_of_weeks() -> list[EnrichedEvent]:
    """Of six days that are well inside the last week, and of two before it."""
    chance = random.Random(7)
    spans = [(NOW - 6 * DAY, NOW - DAY / 12, 900), (NOW - 10 * DAY, NOW - 8 * DAY, 100)]
    return [
        EnrichedEvent(
            timestamp=chance.randrange(ms(start), ms(end)),
            userId=f"visitor-{chance.randrange(150)}",
            eventId=f"{number}-{place}",
            category=chance.choice(["Books", "Toys", None]),
            country=chance.choice(["Kenya", "Peru"]),
            deviceType=chance.choice(["Desktop", "Bot"]),
            browser="Chrome",
            operatingSystem="Windows",
            gender="U",
            eventType="page_view",
            platform=chance.choice(["App", "<b>Web</b>"]),
        )
        for number, (start, end, events) in enumerate(spans)
        for place in range(events)
    ]


EVENTS = events_of_weeks()
WEEK = [own for own in EVENTS if own.timestamp >= ms(NOW - 7 * DAY)]


@pytest.fixture(scope="module")
def dashboard_with_history(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    url, folder = postgres_server.new_database("explore_long_windows"), tmp_path_factory.mktemp("long-windows")
    store(url, EVENTS, ms(NOW) + 1, raw_days=36_500, today=NOW.date())
    redis_port = free_port()
    with serving(url) as history, running_valkey(folder, redis_port) as redis_url, connect(redis_url) as client:
        publish_hour(client)
        settings = {"HISTORY_API_URL": f"http://127.0.0.1:{history.port}"}
        with running_dashboard(redis_port, folder / "dashboard.log", settings=settings) as dashboard:
            yield dashboard


@pytest.fixture
def visit(chromium: Browser, dashboard_with_history: Dashboard) -> Iterator[Visit]:
    with visiting(chromium, dashboard_with_history.url, timezone_id="Europe/Berlin") as visit:
        yield visit
        assert visit.errors == []
        assert visit.foreign_requests == []


def expect(visit: Visit, events: Sequence[EnrichedEvent]) -> None:
    """Wait for the figures of these events."""
    wanted = {title: f"{count:,}" for title, count in zip(("Views", "Visitors"), counts(events).values(), strict=True)}
    eventually(lambda: numbers(visit).items() >= wanted.items(), f"the figures {wanted}", 60)


def test_a_week_is_picked_filtered_and_kept_in_the_address(visit: Visit) -> None:
    visit.open("/explore")
    visit.page.locator(".st-key-window").get_by_text("7 days", exact=True).click()
    expect(visit, WEEK)
    visit.page.get_by_role("combobox", name="Category").click()
    visit.page.get_by_role("option", name="Books").click()
    visit.page.keyboard.press("Escape")
    books = [own for own in WEEK if own.category == "Books"]
    expect(visit, books)
    eventually(lambda: query(visit) == {"window": ["7 days"], "category": ["Books"]}, "the choices in the address")
    visit.page.reload()
    expect(visit, books)
    bars = "document.querySelector('.st-key-chart-series-1 .live-plot')?.data[0].y.reduce((sum, one) => sum + one, 0)"
    eventually(lambda: visit.page.evaluate(bars) == len(books), "the bars of the week", 60)


def test_a_name_of_the_breakdown_filters_and_releases(visit: Visit) -> None:
    visit.open("/explore?window=7+days&breakdown=Platform&audience=Humans&compare=Previous+period")
    humans = [own for own in WEEK if own.deviceType != "Bot"]
    expect(visit, humans)
    rows = visit.page.locator(".breakdown tbody tr")
    expected = [[f"{row['views']:,}", f"{row['visitors']:,}"] for row in by_name(humans, "platform")]
    shown = """rows => rows.map(row => [...row.querySelectorAll('.figure')].map(cell => cell.innerText).slice(0, 2))"""
    eventually(lambda: rows.evaluate_all(shown) == expected, "the breakdown", 60)
    rows.locator("button", has_text="<b>Web</b>").click()
    expect(visit, [own for own in humans if own.platform == "<b>Web</b>"])
    eventually(lambda: query(visit).get("platform") == ["<b>Web</b>"], "the pick in the address")
    rows.locator("button", has_text="<b>Web</b>").click()
    expect(visit, humans)
    eventually(lambda: "platform" not in query(visit), "an address without the pick")


def test_a_paused_page_shows_the_answers_too(visit: Visit) -> None:
    visit.open("/explore?window=30+days&refresh=Paused")
    expect(visit, EVENTS)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_long_window_can_be_used_by_everyone_on_every_screen(
    axe: str, chromium: Browser, dashboard_with_history: Dashboard, mode: str
) -> None:
    with visiting(chromium, dashboard_with_history.url, color_scheme=mode) as visit:
        visit.open("/explore?window=7+days&compare=Yesterday")
        expect(visit, WEEK)
        visit.page.wait_for_selector(".st-key-card-weekdays .main-svg")
        assert violations(visit.page, axe) == []
        for width, height in ((390, 844), (820, 1180), (1160, 900), (1440, 900), (1920, 1080)):
            visit.page.set_viewport_size({"width": width, "height": height})
            eventually(lambda: visit.page.evaluate(FITTING) == {"sideways": 0, "cut": []}, f"a fit at {width} px")
        assert (visit.errors, visit.foreign_requests) == ([], [])
