"""The switch between sites in a real browser: in the address, on each page, with Back, on a phone and on a wall."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from shared.runtime.redis_client import connect
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_explore_page import query
from tests.support.polling import eventually
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.segments import Row, write_segments
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SITES = {"": "", "shop:": "shop.example", "outlet:": "outlet.example"}


@pytest.fixture(scope="module")
def of_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("sites")
    settings = {"DASHBOARD_SITES": "All sites=,Shop=shop:,Outlet in Köln=outlet:"}
    with (
        running_valkey(folder, port := free_port()) as url,
        connect(url) as client,
        running_dashboard(port, folder / "log", settings=settings) as dashboard,
    ):
        fill(client)
        yield dashboard


def fill(client: Any) -> None:
    """Rollups that stay fresh for as long as a slow machine takes to read them."""
    as_of_ms = (int(time.time()) + 300) * 1000
    for place, (prefix, site) in enumerate(SITES.items()):
        publish(client, sample_rollup(as_of_ms, newest_event_ms=as_of_ms, site=site), prefix)
        names = ["shop.example", "blog.example"] if not site else [site]
        rows = [
            Row(minute=as_of_ms // 60_000 - ago, visitor=visitor, site=names[visitor % len(names)])
            for ago in range(1, 60)
            for visitor in range(9 - 3 * place)
        ]
        write_segments(client, rows, prefix=prefix)


@pytest.fixture
def visit(chromium: Browser, of_sites: Dashboard) -> Iterator[Visit]:
    with visiting(chromium, of_sites.url) as visit:
        yield visit
        assert visit.errors == []
        assert visit.foreign_requests == []


def choose(visit: Visit, label: str) -> None:
    visit.page.locator(".st-key-sites input").click()
    visit.page.get_by_role("option", name=label).or_(visit.page.locator("li", has_text=label)).first.click()


def wait_for_site(visit: Visit, site: str) -> None:
    reason = visit.page.locator(".strip .reason")
    said = f"Numbers of {site} are up to the second" if site else "Numbers are up to the second"
    eventually(lambda: said in reason.inner_text(), said, 60)


def test_the_choice_stays_in_the_address_from_page_to_page_and_back(visit: Visit) -> None:
    visit.open("/?audience=Humans&pages=entry")
    wait_for_site(visit, "")
    choose(visit, "Shop")
    wait_for_site(visit, "shop.example")
    assert query(visit) == {"audience": ["Humans"], "pages": ["entry"], "of": ["Shop"]}
    choose(visit, "Outlet in Köln")
    wait_for_site(visit, "outlet.example")
    visit.page.go_back()
    wait_for_site(visit, "shop.example")
    visit.page.get_by_role("link", name="Explore").click()
    visit.arrive(".scrubber")
    wait_for_site(visit, "shop.example")
    assert query(visit) == {"audience": ["Humans"], "of": ["Shop"]}
    views = visit.page.locator(".figures .kpi .number").first
    eventually(lambda: views.inner_text() == str(6 * 59), "the views of the shop", 60)
    assert visit.page.get_by_label("Site", exact=True).count() == 1  # the switch alone: there is one site to filter by
    choose(visit, "All sites")
    wait_for_site(visit, "")
    eventually(lambda: views.inner_text() == str(9 * 59), "the views of all sites", 60)
    visit.page.locator(".st-key-site").wait_for()  # the filter


def test_a_deep_link_opens_its_site_and_a_prefix_is_no_label(visit: Visit) -> None:
    visit.open("/?of=Outlet+in+K%C3%B6ln&wall=1")
    wait_for_site(visit, "outlet.example")
    visit.page.locator(".wall-title").wait_for()
    box = visit.page.locator(".st-key-sites").bounding_box()
    assert box is not None
    on_top = "([x, y]) => document.elementFromPoint(x, y)?.closest('.st-key-sites') === null"
    assert visit.page.evaluate(on_top, [box["x"] + 9, box["y"] + 9])  # the wall covers it
    visit.open("/?of=shop:")
    wait_for_site(visit, "")


@pytest.mark.parametrize("path", ["/?of=Shop", "/explore?of=Shop", "/sales?of=Shop", "/operations?of=Shop"])
def test_the_switch_fits_a_phone(visit: Visit, path: str) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.open(path)
    visit.page.locator(".st-key-sites").wait_for()
    for width in (390, 360):
        visit.page.set_viewport_size({"width": width, "height": 844})
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        boxes = [
            visit.page.locator(part).first.bounding_box() for part in (".brand", ".st-key-navigation", ".st-key-sites")
        ]
        brand, navigation, switch = (box for box in boxes if box is not None)
        assert brand["x"] + brand["width"] <= navigation["x"]
        assert switch["y"] >= navigation["y"] + navigation["height"]
        assert switch["x"] + switch["width"] <= width
