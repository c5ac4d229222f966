"""Pages that a browser prepares before anybody asks for them.

A debugger makes Chromium fetch such pages only, so nobody steers this browser: the first page moves on when it may.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.polling import eventually
from tests.support.servers.chromium import executable, unattended_chromium
from tests.support.servers.web_site import EVENTS, WebSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

RULES = '{"prerender": [{"source": "list", "urls": ["/prepared"], "eagerness": "immediate"}]}'
Open = Callable[[str], None]


def first_page(site: WebSite, goes_to: str) -> str:
    """The URL of a page that has `/prepared` prerendered, and goes to a page once the site gives the signal."""
    moving = f"<script>fetch('/signal').then(() => {{ location.href = '{goes_to}' }})</script>"
    site.put("/", head=f"<script type=speculationrules>{RULES}</script>", body=moving)
    return site.url("/", "localhost")


def ran_prerendered(site: WebSite) -> bool:
    """Whether the page reported so, before the signal."""
    return any(request.path == "/ready" for request in list(site.requests))


def test_a_prerendered_page_counts_when_it_is_shown(chromium: Browser, site: WebSite, tmp_path: Path) -> None:
    site.answering.clear()
    early = (
        "clickpulse('event', 'early'); history.pushState(null, '', '/second'); setTimeout(() => fetch('/ready'), 300)"
    )
    script = f'<script src="{site.url("/s.js", "localhost")}"></script>'
    site.put("/prepared", head=script, body=f"<script>document.prerendering && (() => {{ {early} }})()</script>")
    with unattended_chromium(executable(chromium.browser_type), tmp_path, first_page(site, "/prepared")):
        eventually(lambda: ran_prerendered(site), "a prerendered page")
        assert site.beacons() == []
        site.answering.set()
        events = site.first_events(3)
    prepared, second = site.url("/prepared", "localhost"), site.url("/second", "localhost")
    assert sorted((event["url"], event.get("eventType", "")) for event in events) == [
        (prepared, ""),
        (prepared, "early"),
        (second, ""),
    ]
    assert len([request for request in site.requests if request.path == "/prepared"]) == 1, "loaded again"


def test_a_prerendered_page_that_is_never_shown_counts_nothing(
    chromium: Browser, site: WebSite, tmp_path: Path
) -> None:
    site.answering.clear()
    script = f'<script src="{site.url("/s.js", "localhost")}"></script>'
    site.put("/prepared", head=script, body="<script>setTimeout(() => fetch('/ready'), 300)</script>")
    site.put("/other", head=script, body="<script>setTimeout(() => clickpulse('event', 'end'), 500)</script>")
    with unattended_chromium(executable(chromium.browser_type), tmp_path, first_page(site, "/other")):
        eventually(lambda: ran_prerendered(site), "a prerendered page")
        site.answering.set()
        site.event("end")
    assert {event["url"] for event in site.events()} == {site.url("/other", "localhost")}
    assert all(request.path == EVENTS for request in site.beacons())
