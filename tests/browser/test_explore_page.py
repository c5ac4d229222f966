"""The Explore page in a real browser, against a real Redis."""

import csv
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from playwright.sync_api import Browser

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.segment_keys import SEGMENTS_KEY, parse_segment_field, segment_key
from tests.browser.conftest import Dashboard, Visit, foot, visiting
from tests.browser.explore_figures import figures
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.segments import Row, write_segments

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CHARTS = 4
HOSTILE = '<img src="https://evil.example/x.png" onerror="window.pwned=1"><script>window.pwned=1</script>'
FORMULA = '=HYPERLINK("https://evil.example")'


def publish_hour(client: Any, rows: Callable[[int], Iterator[Row]] | None = None) -> int:
    """A rollup that stays fresh for as long as a slow machine takes to read it, and the hour's segments.

    Returns the first minute that is not completed.
    """
    as_of_ms = (int(time.time()) + 300) * 1000
    publish(client, sample_rollup(as_of_ms, newest_event_ms=as_of_ms))
    end = as_of_ms // MINUTE_MS
    # A new version, because the dashboard has read other segments of these minutes.
    write_segments(client, list((rows or believable)(end)), version=time.time_ns() // 1_000_000)
    return end


def believable(end: int) -> Iterator[Row]:
    """Returning visitors on two partitions, with more events later on."""
    for minute in range(end - 60, end):
        for number in range(4 + minute % 7):
            yield Row(
                minute=minute,
                partition=number % 2,
                visitor=(minute + number) % 23,
                millisecond=number,
                category=("Books", "Toys", None)[number % 3],
                country=("Kenya", "Peru")[minute % 2],
                source=("Direct", "google.com", "Internal")[number % 3],
                channel=("Direct", "Organic search", "Internal", "AI assistant")[number % 4],
                campaign=(None, "spring_sale (newsletter / email)")[minute % 2],
                browser=("Chrome", "Mobile Safari")[number % 2],
                operating_system=("Windows", "iOS")[number % 2],
                event_type=("page_view", "page_view", "add_to_cart")[number % 3],
                age=20 + number,
            )


def events_in_redis(client: Any) -> list[dict[str, Any]]:
    """Every event of every segment, read without the dashboard's code."""
    events = []
    for name in client.hkeys(SEGMENTS_KEY):
        minute, partition = parse_segment_field(name.decode())
        table = pa.ipc.open_stream(client.get(segment_key(name.decode()))).read_all()
        events += [{**event, "minute": minute, "partition": partition} for event in table.to_pylist()]
    return events


def numbers(visit: Visit) -> dict[str, str]:
    """The numbers by their titles."""
    return {title: figure.number for title, figure in figures(visit.page).items()}


def query(visit: Visit) -> dict[str, list[str]]:
    """The query of the address; read in the browser, because Playwright's copy may be outdated."""
    return parse_qs(urlsplit(visit.page.evaluate("location.href")).query)


def visitors(events: list[dict[str, Any]]) -> str:
    return f"{len({(event['partition'], event['visitor']) for event in events}):,}"


def open_page(visit: Visit, choices: str = "") -> None:
    visit.open(f"/explore{choices}")
    visit.wait_for_standing("live")
    wait_until_drawn(visit)


def wait_until_drawn(visit: Visit) -> None:
    """Wait for this page's numbers and charts, whatever remains of the Live page."""
    visit.wait_for_charts(CHARTS)
    drawn = visit.page.locator('[class*="st-key-chart-"] .live-plot:has(.main-svg)')
    eventually(lambda: "Latest" in numbers(visit) and drawn.count() == CHARTS, "the Explore page's numbers", 60)
    visit.page.wait_for_selector(".st-key-card-events .raw tbody tr")  # the last of the page


def test_numbers_on_the_page_match_redis(valkey: Any, visit: Visit) -> None:
    end = publish_hour(valkey)
    visit.open()
    visit.page.get_by_role("link", name="Explore").click()
    wait_until_drawn(visit)
    events = events_in_redis(valkey)
    by_minute = [sum(event["minute"] == minute for event in events) for minute in range(end - 60, end)]
    found = numbers(visit)
    assert (found["Views"], found["Visitors"]) == (f"{len(events):,}", visitors(events))
    assert (found["Latest"], found["Min"], found["Max"]) == tuple(
        str(count) for count in (by_minute[-1], min(by_minute), max(by_minute))
    )
    bars = visit.page.evaluate("document.querySelector('.st-key-chart-series-1 .live-plot').data[0].y")
    assert bars == by_minute
    books = [event for event in events if event["category"] == "Books"]
    row = visit.page.locator(".breakdown tr", has_text="Books")
    figures_of_books = [f"{len(books):,}", visitors(books)]
    eventually(lambda: row.locator(".figure").all_inner_texts() == figures_of_books, "the row of books")


def test_a_filter_is_kept_in_the_address(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey)
    open_page(visit)
    peru = [event for event in events_in_redis(valkey) if event["country"] == "Peru"]
    visit.page.get_by_role("combobox", name="Country").click()
    visit.page.get_by_role("option", name="Peru").click()
    visit.page.keyboard.press("Escape")
    eventually(lambda: numbers(visit).get("Views") == f"{len(peru):,}", "the views of Peru", 60)
    assert numbers(visit)["Visitors"] == visitors(peru)
    eventually(lambda: query(visit) == {"country": ["Peru"]}, "the country in the address")
    visit.page.reload()
    wait_until_drawn(visit)
    assert numbers(visit).get("Views") == f"{len(peru):,}"


def test_channels_browsers_and_campaigns_are_read_from_the_address(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey)
    open_page(visit, "?channel=Internal&browser=Chrome&eventType=page_view&breakdown=Campaign")
    events = [
        event
        for event in events_in_redis(valkey)
        if (event["channel"], event["browser"], event["eventType"]) == ("Internal", "Chrome", "page_view")
    ]
    eventually(lambda: numbers(visit).get("Views") == f"{len(events):,}", "the views under the filters", 60)
    spring = [event for event in events if event["campaign"] is not None]
    assert 0 < len(spring) < len(events)
    row = visit.page.locator(".breakdown tr", has_text="spring_sale (newsletter / email)")
    expected = [f"{len(spring):,}", visitors(spring)]
    eventually(lambda: row.locator(".figure").all_inner_texts() == expected, "the row of the campaign", 60)
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Events as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["Channel"], row["Browser"], row["Operating system"]) for row in rows} == {
        ("Internal", "Chrome", "Windows")
    }
    assert sum(bool(row["Campaign"]) for row in rows) == len(spring)


def test_numbers_bars_and_names_lead_to_their_events(valkey: Any, visit: Visit) -> None:
    end = publish_hour(valkey)
    open_page(visit)
    events = events_in_redis(valkey)
    rows = visit.page.locator(".st-key-card-events .raw tbody tr")
    head = visit.page.locator(".st-key-card-events .head p")
    assert rows.count() == 100
    visit.page.get_by_role("button", name="Latest").focus()
    visit.page.keyboard.press("Enter")
    last = [event for event in events if event["minute"] == end - 1]
    eventually(lambda: rows.count() == len(last), "the events of the last minute", 60)
    below = "document.querySelector('.st-key-card-events').getBoundingClientRect().bottom - innerHeight"
    eventually(lambda: visit.page.evaluate(below) <= 0, "the events in view", 60)
    assert iso_second((end - 1) * MINUTE_MS)[11:16] in head.inner_text()
    visit.page.get_by_role("button", name="Toys").click()
    toys = [event for event in events if event["category"] == "Toys"]
    eventually(lambda: f"of {len(toys):,}" in head.inner_text(), "the events of toys", 60)
    visit.page.locator(".st-key-card-series").scroll_into_view_if_needed()
    # Like a person: Plotly clicks the bar whose label it shows.
    bar = visit.page.locator(".st-key-chart-series-1 .bars .point").nth(30)
    label = visit.page.locator(".st-key-chart-series-1 .hoverlayer .hovertext")
    visit.page.mouse.click(*visit.point_at(bar, label, foot))
    own = [event for event in events if event["minute"] == end - 30]
    eventually(lambda: rows.count() == len(own), "the events of a bar", 60)
    assert f"{iso_second((end - 30) * MINUTE_MS)[11:16]} UTC" in head.inner_text()
    visit.page.get_by_role("button", name="Show all").click()
    eventually(lambda: rows.count() == 100, "all events again", 60)


def test_scrubbing_shows_the_past_and_returns_to_live(valkey: Any, visit: Visit) -> None:
    end = publish_hour(valkey)
    open_page(visit)
    latest = numbers(visit)["Latest"]
    slider = visit.page.get_by_role("slider", name="Minute to look at")
    for _ in range(2):
        slider.press("ArrowLeft")
    at = iso_second((end - 3) * MINUTE_MS)
    eventually(lambda: query(visit).get("at") == [at], "the minute in the address", 60)
    events = [event for event in events_in_redis(valkey) if event["minute"] == end - 3]
    eventually(lambda: numbers(visit).get("Latest") == str(len(events)), "the figures of that minute", 60)
    assert slider.get_attribute("aria-valuetext") == f"As it was at {at[11:16]} UTC"
    visit.page.get_by_role("button", name="Back to live").click()
    eventually(lambda: numbers(visit).get("Latest") == latest, "the newest minute", 60)
    eventually(lambda: "at" not in query(visit), "an address without a minute", 60)


def test_new_minutes_move_nothing_on_the_page(valkey: Any, visit: Visit) -> None:
    end = publish_hour(valkey)
    open_page(visit)
    visit.page.evaluate("""() => {
        window.plots = [...document.querySelectorAll('.live-plot')]
        window.places = () => [...document.querySelectorAll('.strip, .figures .kpi, [class*="st-key-card-"]')]
            .map(card => JSON.stringify(card.getBoundingClientRect()))
        window.first = window.places().join(';')
        window.moved = window.blank = 0
        const look = () => {
            window.moved += window.places().join(';') !== window.first
            window.blank += [...document.querySelectorAll('.live-plot')].some(plot => !plot.querySelector('.main-svg'))
            requestAnimationFrame(look)
        }
        look()
    }""")
    for minute in (end, end + 1):
        write_segments(valkey, [Row(minute=minute, visitor=number) for number in range(70)])
        label = iso_second((minute + 1) * MINUTE_MS)[11:16]
        visit.page.locator(".st-key-card-series .head p", has_text=f"to {label}").wait_for()
    seen = visit.page.evaluate("""() => ({
        same: [...document.querySelectorAll('.live-plot')].every((plot, place) => plot === window.plots[place]),
        moved: window.moved, blank: window.blank,
    })""")
    assert seen == {"same": True, "moved": 0, "blank": 0}
    eventually(lambda: numbers(visit).get("Latest") == "70", "the figures of the newest minute")


def hostile(end: int) -> Iterator[Row]:
    for number in range(3):
        yield Row(
            minute=end - 1, visitor=number, category=HOSTILE, country=HOSTILE, page=HOSTILE, product=FORMULA,
            device=HOSTILE, event_type=HOSTILE, gender=HOSTILE,
        )  # fmt: skip


def test_the_charts_of_both_pages_draw_with_one_plotly(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey)
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url) if "plotly" in request.url else None)
    visit.open()
    visit.wait_for_charts()
    visit.page.get_by_role("link", name="Explore").click()
    wait_until_drawn(visit)
    assert len(loaded) == 1, loaded


def test_untrusted_markup_is_shown_as_text(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey, hostile)
    open_page(visit)
    assert visit.page.locator(".breakdown th button").inner_text().startswith('<img src="https://evil.example')
    visit.page.locator(".breakdown th button").click()
    head = visit.page.locator(".st-key-card-events .head p")
    eventually(lambda: "category “<img src=" in head.inner_text(), "the events of the hostile category", 60)
    assert "3 latest events of 3" in head.inner_text()
    assert visit.page.locator(".st-key-card-events .raw").inner_text().count("<img src=") == 3 * 6
    visit.page.locator(".st-key-card-density").scroll_into_view_if_needed()
    label = visit.page.locator(".st-key-chart-density-1 .hovertext")
    cells = visit.page.locator(".st-key-chart-density-1 .nsewdrag")
    visit.point_at(cells, label, lambda box: (box["x"] + box["width"] - 3, box["y"] + 8))
    categories = visit.page.get_by_role("combobox", name="Category")
    categories.scroll_into_view_if_needed()  # a list closes when the page scrolls
    categories.click()
    visit.page.get_by_role("option").first.click()
    visit.page.keyboard.press("Escape")
    eventually(lambda: query(visit).get("category") == [HOSTILE], "the filter in the address", 60)
    visit.page.reload()
    wait_until_drawn(visit)
    assert numbers(visit).get("Views") == "3"
    assert visit.page.locator(".stMain").locator("img, script, .MathJax, a[href*=evil]").count() == 0
    assert visit.page.evaluate("window.pwned") is None


def test_a_download_matches_the_page_and_is_harmless_to_a_spreadsheet(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey, hostile)
    open_page(visit)
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Events as CSV").click()
    assert re.fullmatch(r"clickpulse-events-\d{4}-\d\d-\d\dT\d{6}Z\.csv", download.value.suggested_filename)
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        titles, *rows = csv.reader(file)
    assert titles[:4] == ["Time (UTC)", "Visitor", "Product", "Category"]
    assert [row[2:4] for row in rows] == [["'" + FORMULA, HOSTILE]] * 3
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Series as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        titles, *rows = csv.reader(file)
    assert titles == ["Start (UTC)", "Minutes", "Views"]
    assert [row[2] for row in rows] == ["0"] * 59 + ["3"]
    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="Breakdown as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["Category", "Views", "Visitors"], [HOSTILE, "3", "3"]]


LATE_MESSAGES = """
    const MILLISECONDS = 700
    window.WebSocket = class extends WebSocket {
        addEventListener(kind, listener) {
            const late = event => setTimeout(listener, MILLISECONDS, event)
            super.addEventListener(kind, kind === 'message' ? late : listener)
        }
    }
"""
"""Run before a page's own scripts: each message of the server arrives late, so that requests cross the ends of runs."""


def test_downloads_in_turn_over_a_slow_connection_keep_the_page_connected(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey)
    visit.page.add_init_script(LATE_MESSAGES)
    open_page(visit)
    for number in range(16):
        visit.page.get_by_role("button", name=("Series as CSV", "Events as CSV")[number % 2]).click(force=True)
        visit.page.wait_for_timeout(400 + 350 * (number % 8))
        assert visit.errors == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_page_fits_every_screen_in_both_modes(
    valkey: Any, chromium: Browser, dashboard: Dashboard, mode: str
) -> None:
    publish_hour(valkey)
    size = {"width": 390, "height": 844}
    with visiting(chromium, dashboard.url, viewport=size, color_scheme=mode) as visit:
        open_page(visit, "?rolling=5+min")
        for width, height in ((390, 844), (820, 1180), (1160, 900), (1440, 900), (1920, 1080)):
            visit.page.set_viewport_size({"width": width, "height": height})
            eventually(lambda: visit.page.evaluate(FITTING) == {"sideways": 0, "cut": []}, f"a fit at {width} px")
        assert (visit.errors, visit.foreign_requests) == ([], [])


FITTING = """() => ({
    sideways: document.documentElement.scrollWidth - innerWidth,
    cut: [...document.querySelectorAll('[class*="st-key-card-"]:not(.st-key-card-events), .kpi, .kpi > *')]
        .filter(card => card.scrollHeight > card.clientHeight + 1 || card.scrollWidth > card.clientWidth + 1)
        .map(card => card.className),
})"""
