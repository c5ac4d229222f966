"""Pages of a small web site that load the script, in a browser that keeps pages for going back."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.support.polling import eventually
from tests.support.servers.chromium import launch
from tests.support.servers.web_site import EVENTS, WebSite, running_web_site

HOSTS: Final = "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"

STUB: Final = (
    "<script>window.clickpulse = window.clickpulse || "
    "function () { (clickpulse.q = clickpulse.q || []).push(arguments) }</script>"
)
"""Keeps calls until the script is there; `docs/collector.md` shows it."""
WITHOUT_TIMERS: Final = "<script>window.setTimeout = () => 0</script>"
"""For a page that is left before any timer runs, however slowly it is left."""


class Visitor:
    """Someone who looks at pages. `console` is what the browser logs, and `errors` what no page caught."""

    def __init__(self, page: Page, site: WebSite) -> None:
        self.page = page
        self.site = site
        self.console: list[str] = []
        self.errors: list[str] = []
        self._bodies: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._remember)

    def open(self, url: str) -> None:
        """Go to a page, as by typing its address."""
        self.page.goto(url)

    def follow(self, link: str, url: str) -> None:
        """Click a link that leads to the URL."""
        self.page.click(link)
        self.page.wait_for_url(url)

    def run(self, code: str) -> Any:
        """Run JavaScript on the page."""
        return self.page.evaluate(code)

    def sent(self) -> list[dict[str, Any]]:
        """What pages have sent since the last time, without eventIds, in their order. All of it has arrived."""
        self.run("clickpulse('event', 'marker')")
        # Asking the page lets Playwright report what the browser did. Requests may overtake one another.
        events = eventually(lambda: self.run("1") and self._until_marker(), "the marker")
        ids = {event["eventId"] for event in events}
        eventually(lambda: ids <= {event["eventId"] for event in self.site.events()}, "the arrival of what was sent")
        self._bodies.clear()
        self.site.requests.clear()
        return [{name: value for name, value in event.items() if name != "eventId"} for event in events[:-1]]

    def _until_marker(self) -> list[dict[str, Any]] | None:
        events = [event for body in self._bodies for event in json.loads(body)]
        return events if events and events[-1].get("eventType") == "marker" else None

    def _remember(self, request: Request) -> None:
        if request.url.endswith(EVENTS) and request.post_data is not None:
            self._bodies.append(request.post_data)


@pytest.fixture(scope="session")
def browser_with_cache(chromium: Browser) -> Iterator[Browser]:
    """A browser that keeps pages for going back, which Playwright's own does not, and finds *.example here."""
    browser = launch(chromium.browser_type, HOSTS, without=["--disable-back-forward-cache"])
    yield browser
    browser.close()


@pytest.fixture
def site() -> Iterator[WebSite]:
    """A site without pages."""
    with running_web_site() as site:
        yield site


@pytest.fixture
def visitor(browser_with_cache: Browser, site: WebSite) -> Iterator[Visitor]:
    """A visitor of the site. After each test: no uncaught error, no unhandled rejection, and an empty console."""
    with browser_with_cache.new_context() as context:
        visitor = Visitor(context.new_page(), site)
        visitor.page.set_default_timeout(60_000)
        yield visitor
        assert visitor.errors == []
        assert visitor.console == []
