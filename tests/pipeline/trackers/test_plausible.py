"""Plausible's two packages for pages, from the page to the raw topic and to Redis."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from shared.rollups.contract import Snapshot
from shared.rollups.reading import read
from shared.runtime.redis_client import connect
from tests.pipeline.trackers.conftest import AGENT, logged, said, unless_missing, visiting
from tests.support.polling import eventually
from tests.support.servers.collector import Collector
from tests.support.trackers.packages import bundled

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

TRACKER: Final = """
import { init, track } from '@plausible-analytics/tracker'
window.__plausible = true // in place of a person, whose browser says nothing about automation
init({ domain: 'other.example,shop.example', endpoint: '%s/api/event', outboundLinks: true, fileDownloads: true })
window.track = (name, options) => new Promise(callback => track(name, { ...options, callback }))
"""
OLD_TRACKER: Final = """
import Plausible from 'plausible-tracker'
const { enableAutoPageviews, trackEvent } = Plausible({ apiHost: '%s', domain: 'shop.example', hashMode: true })
enableAutoPageviews()
window.track = (name, props) => new Promise(callback => trackEvent(name, { callback, props }))
"""
BODY: Final = """
<button class="plausible-event-name=Signup plausible-event-product_id=p9">Sign up</button>
<a href="http://other.example:1/x?y=1" target=_blank>Elsewhere</a>
"""


def test_the_tracker_reaches_redis(chromium: Browser, collector: Collector, redis_url: str, tmp_path: Path) -> None:
    script = unless_missing(lambda: bundled(TRACKER % collector.url))
    with visiting(chromium, "/", script, BODY) as visit:
        visit.page.goto(f"{visit.origin}/?utm_source=news", referer="https://search.example/")
        visit.wait_for("pageview")
        visit.page.evaluate("history.pushState({}, '', '/p/7')")
        visit.wait_for("pageview", 2)
        visit.wait_for("engagement")
        purchase = visit.page.evaluate("""track('Purchase', {
            revenue: { amount: 1322.22, currency: 'EUR' },
            props: { product_id: 'p7', order_id: 1001, quantity: 2, colour: 'red' },
        })""")
        visit.page.evaluate("track('Purchase', { interactive: false, revenue: { amount: '10.10', currency: 'eur' } })")
        wrong = visit.page.evaluate("track('Purchase', { revenue: { amount: 'a lot', currency: 'EUR' } })")
        visit.page.click("button")
        visit.wait_for("Signup")
        visit.page.click("a")
        visit.wait_for("Outbound Link: Click")
    search = {"referrer": "https://search.example/"}
    assert (purchase, wrong) == ({"status": 202}, {"status": 400})
    home, product = {"url": f"{visit.origin}/?utm_source=news", **search}, {"url": f"{visit.origin}/p/7", **search}
    clicks = logged(redis_url, 6)
    assert [said(click) for click in clicks] == [
        home,
        product,
        {**product, "eventType": "purchase", "value": "1322.22", "currency": "EUR", "productId": "p7",
         "orderId": "1001", "quantity": 2},
        {**product, "eventType": "purchase", "value": "10.1", "currency": "EUR"},
        {**product, "eventType": "Signup", "productId": "p9"},
        {**product, "eventType": "outbound_link"},
    ]  # fmt: skip
    assert len({(click["userId"], click["userAgent"]) for click in clicks}) == 1
    assert clicks[0]["userAgent"] == AGENT
    snapshot = _snapshot(redis_url, tmp_path, 6)
    assert snapshot.windows.visitors["1h"] == 1
    assert snapshot.windows.pages_1h == {"/": 1, "/p/7": 5}
    assert snapshot.meta.dead_letters == 0


def test_the_old_tracker_reaches_the_topic(chromium: Browser, collector: Collector, redis_url: str) -> None:
    script = unless_missing(lambda: bundled(OLD_TRACKER % collector.url))
    with visiting(chromium, "/app/", script) as visit:
        visit.page.goto(f"{visit.origin}/app/#/cart?utm_source=news")
        visit.wait_for("pageview")
        visit.page.evaluate("location.hash = '#/thanks'")
        visit.wait_for("pageview", 3)  # popstate and hashchange: this tracker listens to both
        visit.page.evaluate("track('Woo Add to Cart', { product_id: 'p7', quantity: 2 })")
        visit.wait_for("Woo Add to Cart")
    thanks = {"url": f"{visit.origin}/app/thanks"}
    assert [said(click) for click in logged(redis_url, 4)] == [
        {"url": f"{visit.origin}/app/cart?utm_source=news"},
        thanks,
        thanks,
        {**thanks, "eventType": "add_to_cart", "productId": "p7", "quantity": 2},
    ]
    assert visit.errors == []


def _snapshot(redis_url: str, folder: Path, events: int) -> Snapshot:
    """What the services publish of the topic's clicks."""
    environment = os.environ | {"REDIS_URL": redis_url, "STATE_DIR": str(folder / "state"), "LOG_FORMAT": "json"}
    with ExitStack() as running, connect(redis_url) as client:
        for service in ("enrich", "aggregate"):
            process = subprocess.Popen([sys.executable, "-m", "services.cli", service], env=environment)
            running.callback(process.wait)
            running.callback(process.kill)

        def snapshot() -> Snapshot | None:
            seen = read(client, "human", "")
            return seen if seen and seen.meta.read >= events and seen.meta.lag == 0 else None

        return eventually(snapshot, f"{events} events counted", 120)
