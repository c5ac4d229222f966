"""Pages opened at their own address, in a real browser: at the root, and under a path of their own."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_explore_page import CHARTS, publish_hour

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = [
    ("/?audience=Bots", "Live"),
    ("/explore?window=15+min", "Explore"),
    ("/operations?audience=Bots", "Operations"),
]


def answers_of(visit: Visit) -> list[tuple[int, str]]:
    """The status and address of whatever is answered from now on."""
    answers: list[tuple[int, str]] = []
    visit.page.on("response", lambda response: answers.append((response.status, response.url)))
    return answers


@pytest.mark.parametrize(("path", "title"), PAGES)
def test_a_page_opened_at_its_own_address_finds_its_server_at_once(
    valkey: Any, visit: Visit, path: str, title: str
) -> None:
    publish_hour(valkey)
    answers = answers_of(visit)
    visit.open(path)
    visit.page.wait_for_selector(f".here >> text={title}")
    assert [(status, url) for status, url in answers if status >= 400] == []
    asked = [url.removeprefix(visit.url) for _, url in answers if "_stcore/h" in url]
    assert sorted(asked) == ["/_stcore/health", "/_stcore/host-config"]
    assert visit.page.evaluate("location.pathname + location.search") == path


def test_the_pages_work_under_a_path_of_their_own(
    valkey: Any, dashboard: Dashboard, chromium: Browser, tmp_path: Path
) -> None:
    publish_hour(valkey)
    with (
        running_dashboard(dashboard.redis_port, tmp_path / "dashboard.log", base_path="/shop/stats") as own,
        visiting(chromium, own.url) as visit,
    ):
        answers = answers_of(visit)
        visit.open("/explore")
        visit.wait_for_charts(CHARTS)
        visit.page.get_by_role("link", name="Live").click()
        visit.wait_for_charts()
        assert visit.page.evaluate("location.pathname").rstrip("/") == "/shop/stats"
        visit.page.get_by_role("link", name="Operations").click()
        visit.page.wait_for_selector(".here >> text=Operations")
        visit.page.reload()
        visit.page.wait_for_selector(".here >> text=Operations")
        assert [(status, url) for status, url in answers if status >= 400] == []
        # The websocket, the map and plotly.js included: none is asked of another place on the host.
        assert (visit.errors, visit.foreign_requests) == ([], [])
