"""Pages opened directly by their address, in a real browser: at the root and under a base path."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.stripping_proxy import stripping
from tests.browser.test_explore_page import CHARTS, publish_hour
from tests.support.polling import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = [
    ("/?audience=Bots", "Live"),
    ("/explore?window=15+min", "Explore"),
    ("/operations?audience=Bots", "Operations"),
]


def answers_of(visit: Visit) -> list[tuple[int, str]]:
    """The status and address of every response from now on."""
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


@contextmanager
def told_its_path(dashboard: Dashboard, folder: Path) -> Iterator[str]:
    with running_dashboard(dashboard.redis_port, folder / "dashboard.log", base_path="/shop/stats") as own:
        yield own.url


@contextmanager
def behind_a_proxy(dashboard: Dashboard, _: Path) -> Iterator[str]:
    port = urlsplit(dashboard.url).port
    assert port is not None
    with stripping("/shop/stats", port) as url:
        yield url


@pytest.mark.parametrize("served", [told_its_path, behind_a_proxy])
def test_the_pages_work_under_a_base_path(
    valkey: Any,
    dashboard: Dashboard,
    chromium: Browser,
    tmp_path: Path,
    served: Callable[[Dashboard, Path], AbstractContextManager[str]],
) -> None:
    publish_hour(valkey)
    with served(dashboard, tmp_path) as url, visiting(chromium, url) as visit:
        answers = answers_of(visit)
        visit.open("/explore")
        visit.wait_for_charts(CHARTS)
        visit.page.get_by_role("link", name="Live").click()
        visit.page.wait_for_selector(".here >> text=Live")
        visit.wait_for_charts()
        own = "location.pathname.replace(/[/]$/, '')"
        eventually(lambda: visit.page.evaluate(own) == "/shop/stats", "the path alone in the address")
        visit.page.get_by_role("link", name="Operations").click()
        visit.page.wait_for_selector(".here >> text=Operations")
        visit.page.reload()
        visit.page.wait_for_selector(".here >> text=Operations")
        assert [(status, url) for status, url in answers if status >= 400] == []
        # This includes the websocket, the map and plotly.js: nothing is requested outside the base path.
        assert (visit.errors, visit.foreign_requests) == ([], [])
