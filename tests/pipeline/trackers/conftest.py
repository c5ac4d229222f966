"""A collector that knows one site, and browsers to visit its pages with."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Response

from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.chromium import launch
from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.event_logs import Owner, a_group, values
from tests.support.servers.web_site import running_web_site

AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
"""A browser's: Chromium calls itself headless, which makes it a bot."""
_EVERY_HOST_HERE: Final = "--host-resolver-rules=MAP *.example 127.0.0.1"


@pytest.fixture
def collector(tmp_path: Path, redis_url: str) -> Iterator[Collector]:
    """It accepts the events of shop.example."""
    sites = tmp_path / "sites.toml"
    sites.write_text('[[sites]]\nname = "shop.example"\nuser_ids = true\n')
    with running_collector(tmp_path, redis_url, SITES_FILE=str(sites)) as running:
        yield running


def logged(redis_url: str, clicks: int) -> list[dict[str, Any]]:
    """The raw topic's clicks, in the order of their times, once it has so many."""
    found: list[bytes] = []

    def has_all(consumer: Any) -> bool:
        found.extend(values(consumer.poll(5_000, 0.5)))
        return len(found) >= clicks

    with open_log(ServiceSettings(redis_url=redis_url), "test").consumer("click-data", a_group(), Owner()) as consumer:
        eventually(lambda: has_all(consumer), f"{clicks} clicks")
    return sorted(map(json.loads, found), key=lambda click: click["timestamp"])


def unless_missing(make: Callable[[], str]) -> str:
    """What it makes. If npm is missing, skip the test, or fail it in CI."""
    with or_skip(lambda: nullcontext(make())) as made:
        return made


def said(click: dict[str, Any]) -> dict[str, Any]:
    """What a tracker said of a click: without what its request says, which is right."""
    assert click["site"] == "shop.example"
    assert click["ip"] == "127.0.0.1"
    return {name: click[name] for name in click if name not in ("timestamp", "userId", "site", "userAgent", "ip")}


class Visit:
    """A page of shop.example. `answered` has the status of each event by its name, `errors` what its browser logs."""

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self.origin = f"http://shop.example:{port}"
        self.answered: list[tuple[str, int]] = []
        self.errors: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("response", self._note)

    def _note(self, response: Response) -> None:
        if "/api/" in response.url:
            self.answered.append((json.loads(response.request.post_data or "")["n"], response.status))

    def wait_for(self, name: str, times: int = 1) -> None:
        """Wait until so many events of that name are accepted."""
        for _ in range(1200):
            if self.answered.count((name, 202)) >= times:
                return
            self.page.wait_for_timeout(50)  # which runs the callbacks, unlike a sleep
        raise AssertionError(f"{name} is missing: {self.answered}")


@contextmanager
def visiting(chromium: Browser, path: str, script: str, body: str = "") -> Iterator[Visit]:
    """A visit to the page at the path, which runs the script; it opens with `visit.page.goto(visit.origin + path)`."""
    with running_web_site() as site:
        site.put(path, f"{body}<script>{script}</script>", head="")
        browser = launch(chromium.browser_type, _EVERY_HOST_HERE)
        try:
            page = browser.new_page(user_agent=AGENT)
            page.set_default_timeout(60_000)
            yield Visit(page, site.port)
        finally:
            browser.close()
