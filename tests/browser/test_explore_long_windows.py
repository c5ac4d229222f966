"""Explore's long windows in a real browser: a PostgreSQL with a week of events, history's API, and a dashboard."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

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
    amounts = [*[None] * 7, "19.99", "100.5", "-5"]
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
            age=chance.choice([None, 17, 30, 70]),
            value=chance.choice(amounts),
            cost=chance.choice([None, "7"]),
            currency=chance.choice([None, "EUR", "USD"]),
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


BARS = "card => document.querySelector(`.st-key-chart-${card}-1 .live-plot`)?.data?.[0].y"


def bars_are(visit: Visit, card: str, wanted: Sequence[float]) -> None:
    eventually(lambda: visit.page.evaluate(BARS, card) == pytest.approx(wanted), f"the bars of {card}: {wanted}", 60)


def test_histograms_equal_a_count_by_brute_force(visit: Visit) -> None:
    visit.open("/explore?window=7+days&show=Visitors&country=Peru")
    peru = [own for own in WEEK if own.country == "Peru"]
    numbers_of_events = Counter(own.userId for own in peru).values()
    classes = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, 20), (21, 50), (51, 10**9))
    bars_are(visit, "visits", [sum(first <= n <= last for n in numbers_of_events) for first, last in classes])
    of_age = {age: counts([own for own in peru if own.age == age])["visitors"] for age in (17, 30, 70, None)}
    bars_are(visit, "ages", [of_age[17], 0, of_age[30], 0, 0, 0, of_age[70], of_age[None]])


def test_sessions_equal_a_count_by_brute_force(visit: Visit) -> None:
    visit.open("/explore?window=7+days&audience=Humans")
    times: dict[str, list[int]] = defaultdict(list)
    for own in WEEK:
        if own.deviceType != "Bot":
            times[own.userId].append(own.timestamp // 1000)
    sessions: list[list[int]] = []
    for own_times in times.values():
        for place, at in enumerate(sorted(own_times)):
            if place and at - sessions[-1][-1] < 1_800:
                sessions[-1].append(at)
            else:
                sessions.append([at])
    number = len(sessions)
    wanted = {
        "Sessions": f"{number:,}",
        "Bounce rate": f"{100 * round(sum(len(own) == 1 for own in sessions) / number, 4):.1f} %",
        "Views per session": f"{sum(map(len, sessions)) / number:.1f}",
        "Session duration": f"{sum(own[-1] - own[0] for own in sessions) / number:.0f} s",
    }
    eventually(lambda: numbers(visit).items() >= wanted.items(), f"the figures {wanted}", 60)
    visit.open("/explore?window=7+days&audience=Humans&country=Peru")
    expect(visit, [own for own in WEEK if own.deviceType != "Bot" and own.country == "Peru"])
    assert "Sessions" not in numbers(visit)


BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = (NOW.astimezone(BERLIN).date() - days * DAY for days in (4, 2))
THREE_DAYS = f"/explore?window=From%E2%80%93to&from={FIRST}&to={LAST}&interval=Day&compare=Previous+period"


def of_days(first: date, last: date) -> list[EnrichedEvent]:
    return [own for own in EVENTS if first <= own.datetime.astimezone(BERLIN).date() <= last]


def amounts(events: Sequence[EnrichedEvent]) -> list[Decimal]:
    """Of the sales in euros."""
    return [Decimal(str(own.value)) for own in events if own.value is not None and own.currency != "USD"]


def test_sales_of_a_window_equal_a_count_by_brute_force(visit: Visit) -> None:
    visit.open(f"{THREE_DAYS}&show=Revenue&breakdown=Category")
    own, before = amounts(of_days(FIRST, LAST)), amounts(of_days(FIRST - 3 * DAY, FIRST - DAY))
    wanted = {
        "Revenue": f"€{sum(own):,.2f}",
        "Orders": f"{sum(value >= 0 for value in own):,}",
        "Change": f"{sum(own) - sum(before):+,.2f}".replace("+", "+€").replace("-", "−€"),
    }
    eventually(lambda: numbers(visit).items() >= wanted.items(), f"the figures {wanted}", 60)
    days = [FIRST + number * DAY for number in range(3)]
    bars_are(visit, "series", [float(sum(amounts(of_days(day, day)))) for day in days])
    by_name = [
        (sum(own), name, str(sum(value >= 0 for value in own)))
        for name in ("Books", "Toys")
        for own in [amounts([event for event in of_days(FIRST, LAST) if event.category == name])]
    ]
    rows = [[f"€{revenue:,.2f}", orders] for revenue, _, orders in sorted(by_name, reverse=True)]
    shown = """rows => rows.map(row => [...row.querySelectorAll('.figure')].map(cell => cell.innerText).slice(0, 2))"""
    found = visit.page.locator(".breakdown tbody tr")
    eventually(lambda: found.evaluate_all(shown) == rows, f"the breakdown {rows}", 60)
    dollars = [event for event in of_days(FIRST, LAST) if event.value is not None and event.currency == "USD"]
    revenue = sum(Decimal(str(event.value)) for event in dollars)
    note = f"${revenue:,.2f} in {sum(str(event.value)[0] != '-' for event in dollars)} orders"
    eventually(lambda: note in visit.page.locator(".notes").inner_text(), f"the note {note}", 60)
    visit.page.locator(".st-key-window").get_by_text("1 h", exact=True).click()
    visit.page.wait_for_selector("text=Views by minute")
    eventually(lambda: "show" not in query(visit), "an address without sales, which minutes do not have", 60)


def intervals(visit: Visit) -> list[str]:
    """What one may choose under *By*."""
    buttons = visit.page.locator(":is(.st-key-window-interval, .st-key-zoom-interval) button").all()
    return [button.inner_text().strip() for button in buttons if button.is_visible()]


def test_a_bar_zooms_to_its_day_and_a_key_to_an_hour_and_back(axe: str, visit: Visit) -> None:
    visit.open(THREE_DAYS)
    days = [FIRST + number * DAY for number in range(3)]
    bars_are(visit, "series", [len(of_days(day, day)) for day in days])
    # Like a person: Plotly clicks the bar whose label it shows.
    bar = visit.page.locator(".st-key-chart-series-1 .bars .point").nth(1)
    label = visit.page.locator(".st-key-chart-series-1 .hoverlayer .hovertext")
    visit.page.mouse.click(*visit.point_at(bar, label, lambda box: (box["x"] + box["width"] / 2, box["y"] + 20)))
    day = of_days(days[1], days[1])
    by_hour = Counter(own.datetime.astimezone(BERLIN).hour for own in day)
    bars_are(visit, "series", [by_hour[hour] for hour in range(24)])
    expect(visit, day)
    assert intervals(visit) == ["Hour"]
    eventually(lambda: query(visit).get("zoom") == [f"{days[1]}"], "the day in the address")
    visit.page.reload()
    bars_are(visit, "series", [by_hour[hour] for hour in range(24)])
    visit.page.get_by_role("button", name="Max").press("Enter")
    most, hour = max((number, hour) for hour, number in by_hour.items())
    in_hour = [own for own in day if own.datetime.astimezone(BERLIN).hour == hour]
    by_minute = Counter(own.datetime.minute for own in in_hour)
    bars_are(visit, "series", [by_minute[minute] for minute in range(60)])
    assert len(in_hour) == most
    assert intervals(visit) == ["Minute"]
    assert violations(visit.page, axe) == []
    visit.page.get_by_role("button", name=f"{days[1]:%a %d %b %Y}").press("Enter")
    expect(visit, day)
    visit.page.go_back()
    expect(visit, in_hour)
    visit.page.locator(".crumbs button").first.click()
    expect(visit, of_days(FIRST, LAST))
    eventually(lambda: "zoom" not in query(visit), "an address without the zoom")
    eventually(lambda: intervals(visit) == ["Hour", "Day"], "the intervals of the window")


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
