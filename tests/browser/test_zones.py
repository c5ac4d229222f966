"""Each page for a viewer with an offset of 45 minutes, in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second
from tests.browser.conftest import Dashboard, foot, visiting
from tests.browser.test_explore_page import open_page, publish_hour, query
from tests.browser.test_operations_page import report_all
from tests.support.polling import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ZONE = {"timezone_id": "Asia/Kathmandu"}


def utc(minute: int) -> str:
    return iso_second(minute * MINUTE_MS)[11:16]


def local(minute: int) -> str:
    return utc(minute + 345)


def test_the_explore_page_shows_the_viewers_time_and_keeps_utc_in_its_address(
    valkey: Any, chromium: Browser, dashboard: Dashboard
) -> None:
    end = publish_hour(valkey)
    with visiting(chromium, dashboard.url, **ZONE) as visit:
        open_page(visit)
        page = visit.page
        assert page.locator(".st-key-card-series .head p").inner_text() == f"Last 1 h, to {local(end)}, UTC+5:45"
        bar = page.locator(".st-key-chart-series-1 .bars .point").nth(30)
        label = page.locator(".st-key-chart-series-1 .hoverlayer").filter(has_text=f"{local(end - 30)} UTC+5:45")
        visit.point_at(bar, label.filter(has_text=f"{utc(end - 30)} UTC"), foot)
        axis = page.locator(".st-key-chart-series-1 .xtick text").all_text_contents()
        assert set(axis) <= {local(minute) for minute in range(end - 60, end + 1)}
        slider = page.get_by_role("slider", name="Minute to look at")
        slider.press("ArrowLeft")
        at = iso_second((end - 2) * MINUTE_MS)
        eventually(lambda: query(visit).get("at") == [at], "the minute in the address, in UTC", 60)
        assert slider.get_attribute("aria-valuetext") == f"As it was at {local(end - 2)} UTC+5:45"
        assert page.locator(".scrubber output").get_attribute("title") == f"{utc(end - 2)} UTC"
        assert visit.errors == []


def test_the_operations_page_shows_the_viewers_time(valkey: Any, chromium: Browser, dashboard: Dashboard) -> None:
    report_all(valkey)
    with visiting(chromium, dashboard.url, **ZONE) as visit:
        visit.open("/operations")
        visit.wait_for_standing("live")
        change = visit.page.locator(".transitions .when time").first
        at_utc = change.get_attribute("title")
        assert at_utc is not None
        hour, minute, second = at_utc[11:19].split(":")
        ahead = (int(hour) * 60 + int(minute) + 345) % 1440
        assert change.inner_text() == f"{ahead // 60:02}:{ahead % 60:02}:{second}"
        title = visit.page.locator(".transitions th.when")
        assert title.inner_text() == "Time (UTC+5:45)"
        for width in (390, 1440):
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert title.evaluate("cell => cell.scrollWidth - cell.clientWidth") == 0, width
        assert visit.errors == []
