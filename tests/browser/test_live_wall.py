"""Live on a wall and on a phone, its tabs, and the number in the browser's tab, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser

from benchmarks.wire import LAYOUT_SHIFT, WATCH
from tests.browser.conftest import Dashboard, Visit, visiting
from tests.browser.test_accessibility import axe as axe  # the fixture
from tests.browser.test_explore_page import query
from tests.browser.test_live_page import publish_now
from tests.support.axe.violations import violations
from tests.support.polling import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

OVERFLOWING = """() => ({
    page: [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight],
    cut: [...document.querySelectorAll('.wall .card, .wall .kpi, .wall .board')]
        .filter(box => box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1)
        .map(box => box.className),
    beyond: [...document.querySelectorAll('.wall .card, .wall .kpi')].map(box => box.getBoundingClientRect())
        .filter(({ bottom, right }) => bottom > innerHeight || right > innerWidth).length,
})"""

FITTING = {"page": [0, 0], "cut": [], "beyond": 0}


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_wall_fills_screens_of_any_size_without_scrolling(
    axe: str, valkey: Any, chromium: Browser, dashboard: Dashboard, mode: str
) -> None:
    publish_now(valkey)
    with visiting(chromium, dashboard.url, viewport={"width": 1920, "height": 1080}, color_scheme=mode) as visit:
        visit.open("/?wall=1")
        visit.page.wait_for_selector(".wall .kpi")
        visit.wait_for_charts(1)
        assert visit.page.locator(".wall").locator("a:visible, button:visible, input:visible").count() == 0
        assert visit.page.evaluate("document.elementFromPoint(60, 30).closest('.wall') !== null")  # not the top bar
        assert violations(visit.page, axe) == []

        def zoom() -> float:
            return float(visit.page.evaluate("getComputedStyle(document.querySelector('.wall')).zoom"))

        first = zoom()
        assert first > 1.4
        for width, height in ((1920, 1080), (3840, 2160), (1280, 720), (1280, 800), (1080, 1920)):
            visit.page.set_viewport_size({"width": width, "height": height})
            if height == 2160:  # the page takes a moment to follow
                eventually(lambda: zoom() == pytest.approx(2 * first, rel=0.01), "type of twice the size", 30)
            eventually(lambda: visit.page.evaluate(OVERFLOWING) == FITTING, f"a fit at {width} × {height}", 30)
        assert visit.errors == []


def test_the_way_into_wall_mode_and_out_of_it(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    visit.page.get_by_role("button", name="Wall").click()
    visit.page.wait_for_selector(".board-page.wall")
    assert query(visit) == {"wall": ["1"]}
    visit.page.wait_for_selector(".wall.idle")  # the pointer is hidden after a while
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector(".board-page:not(.wall) .card-raw")
    eventually(lambda: query(visit) == {}, "the address without the wall", 30)
    visit.page.go_back()
    visit.page.wait_for_selector(".board-page.wall")


def test_old_numbers_on_a_wall_say_so(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open("/?wall=1")
    visit.page.wait_for_selector(".wall .kpi")
    valkey.shutdown(nosave=True)
    visit.wait_for_standing("unreachable")
    assert visit.page.locator(".wall .strip strong").is_visible()
    assert visit.page.evaluate("getComputedStyle(document.querySelector('.kpis')).filter") == "grayscale(1)"
    eventually(lambda: visit.page.title() == "(–) Live · Clickpulse", "a title without a number", 30)


def test_the_tab_of_a_card_is_chosen_without_the_server_and_survives_it(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    card = visit.page.locator(".card-sources")
    card.get_by_role("tab", name="Campaigns").click()
    assert card.locator("h2:visible").inner_text() == "Campaigns"
    box = card.bounding_box()
    for _ in range(2):  # new numbers keep the choice, and nothing moves
        publish_now(valkey)
        visit.page.wait_for_timeout(1200)
        assert card.locator("h2:visible").inner_text() == "Campaigns"
    assert card.bounding_box() == box
    visit.page.get_by_role("radio", name="Bots").or_(visit.page.get_by_role("button", name="Bots")).click()
    eventually(lambda: query(visit) == {"audience": ["Bots"], "sources": ["campaigns"]}, "both choices", 30)
    visit.page.reload()
    visit.wait_for_standing("live")
    assert card.locator("h2:visible").inner_text() == "Campaigns"
    visit.page.locator(".card-devices").get_by_role("tab", name="Browsers").click()
    visit.page.go_back()
    eventually(lambda: "devices" not in query(visit), "the address before", 30)
    visit.page.wait_for_selector(".card-devices h2:visible >> text=Visitors by device")


def test_the_tabs_title_has_the_visitors_of_live_only(valkey: Any, visit: Visit) -> None:
    publish_now(valkey)
    visit.open()
    visit.wait_for_standing("live")
    eventually(lambda: visit.page.title() == f"({visit.key_figures()[0]}) Live · Clickpulse", "the number", 30)
    visit.page.get_by_role("link", name="Operations").click()
    eventually(lambda: visit.page.title() == "Clickpulse", "the title of another page", 30)
    visit.page.wait_for_timeout(2000)
    assert visit.page.title() == "Clickpulse"


def test_a_phone_has_the_order_of_a_desk_no_sideways_scroll_and_tabs_to_touch(
    valkey: Any, chromium: Browser, dashboard: Dashboard
) -> None:
    publish_now(valkey)
    with visiting(chromium, dashboard.url, viewport={"width": 390, "height": 844}, has_touch=True) as visit:
        visit.page.add_init_script(WATCH)
        visit.open()
        visit.wait_for_charts()
        visit.page.wait_for_timeout(2000)
        assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        cards = visit.page.locator(".card")
        tops = cards.evaluate_all("cards => cards.map(card => card.getBoundingClientRect().top)")
        assert tops == sorted(set(tops))
        names = cards.evaluate_all("cards => cards.map(card => card.className.split(' ')[1])")
        assert [re.sub("^card-", "", name) for name in names][:4] == ["per-minute", "now", "rising", "conversions"]
        heights = visit.page.locator("[role=tab]").evaluate_all("tabs => tabs.map(tab => tab.offsetHeight)")
        assert min(heights) >= 36
        assert visit.page.evaluate(LAYOUT_SHIFT) < 0.02
        assert not visit.page.get_by_role("button", name="Wall").is_visible()
