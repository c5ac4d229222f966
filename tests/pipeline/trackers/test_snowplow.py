"""Snowplow's trackers for Python and for pages, from the call to the raw topic."""

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from playwright.sync_api import Browser
from snowplow_tracker.emitters import Emitter
from snowplow_tracker.events.page_ping import PagePing
from snowplow_tracker.events.page_view import PageView
from snowplow_tracker.events.self_describing import SelfDescribing
from snowplow_tracker.events.structured_event import StructuredEvent
from snowplow_tracker.self_describing_json import SelfDescribingJson
from snowplow_tracker.subject import Subject
from snowplow_tracker.tracker import Tracker

from tests.pipeline.trackers.conftest import AGENT, logged, said, unless_missing, visiting
from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.valkey import Valkey
from tests.support.trackers.packages import bundled

pytestmark = pytest.mark.timeout(300)

KEY: Final = "the secret key of a server"
URL: Final = "https://shop.example/p/7?utm_source=news"
REFERRER: Final = "https://search.example/"
BROWSER: Final = """
import * as snowplow from '@snowplow/browser-tracker'
import * as ecommerce from '@snowplow/browser-plugin-snowplow-ecommerce'
import * as links from '@snowplow/browser-plugin-link-click-tracking'
const { host, options } = %s
window.answers = []
snowplow.newTracker('sp', host, {
  appId: 'shop',
  plugins: [ecommerce.SnowplowEcommercePlugin(), links.LinkClickTrackingPlugin()],
  onRequestSuccess: (_, response) => answers.push(response.status),
  onRequestFailure: failure => answers.push(failure),
  ...options,
})
Object.assign(window, { snowplow, ecommerce, links })
"""
LINK: Final = '<a href="http://other.example:1/x" target=_blank>Elsewhere</a>'


def schema(name: str) -> str:
    return f"iglu:com.snowplowanalytics.snowplow/{name}/jsonschema/1-0-1"


@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize("encodes", [True, False], ids=["base64", "json"])
def test_the_tracker_for_python_reaches_the_topic(
    tmp_path: Path, redis_url: str, method: Any, *, encodes: bool
) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text(f'[[sites]]\nname="shop.example"\nkey="{KEY}"\n')
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {KEY}"
    failures: list[object] = []
    subject = Subject().set_platform("srv").set_user_id("u-1").set_ip_address("9.9.9.9").set_useragent(AGENT)
    an_hour_ago_ms = int(time.time() - 3600) * 1000
    link = SelfDescribingJson(schema("link_click"), {"targetUrl": "https://other.example/ü"})
    with running_collector(tmp_path, redis_url, SITES_FILE=str(sites)) as collector:
        emitter = Emitter(
            collector.url, port=None, method=method, batch_size=8, session=session,
            on_failure=lambda *failure: failures.append(failure),
        )  # fmt: skip
        tracker = Tracker("sp", emitter, subject=subject, app_id="shop", encode_base64=encodes)
        ids = [
            tracker.track(PageView(URL, "Tea", REFERRER, true_timestamp=an_hour_ago_ms)),
            tracker.track(PagePing(URL)),
            tracker.track(StructuredEvent("media", "play", value=30)),
            tracker.track(SelfDescribing(link)),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            items = [{"sku": "p7", "price": 19, "quantity": 1}, {"sku": "p8", "price": 3.1, "quantity": 2}]
            tracker.track_ecommerce_transaction("1001", 25.2, currency="EUR", items=items)
            tracker.track_add_to_cart("p7", 2, unit_price=19, currency="EUR")
        emitter.flush()
        view, *others = logged(redis_url, 7)
    assert failures == []
    visitor = {"userId": "u-1", "ip": "9.9.9.9", "userAgent": AGENT, "site": "shop.example", "platform": "srv"}
    page = {"url": URL, "referrer": REFERRER}
    assert view == {"timestamp": an_hour_ago_ms, "eventId": ids[0], **visitor, **page}
    order = {**visitor, "orderId": "1001"}
    assert sorted(map(without_ids, others), key=lambda click: (click["eventType"], click.get("productId", ""))) == [
        {**visitor, "eventType": "add_to_cart", "productId": "p7", "quantity": 2},
        {**visitor, "eventType": "link_click"},
        {**visitor, "eventType": "play"},
        {**order, "eventType": "purchase", "value": "25.2", "currency": "EUR"},
        {**order, "eventType": "purchase_line", "productId": "p7", "quantity": 1},
        {**order, "eventType": "purchase_line", "productId": "p8", "quantity": 2},
    ]
    assert {click["eventId"] for click in others} >= {ids[2], ids[3]}


def without_ids(click: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in click.items() if name not in ("timestamp", "eventId")}


def test_the_tracker_for_python_tries_again_when_the_log_is_away(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path, fsync="always")
    valkey.start()
    try:
        with running_collector(tmp_path, valkey.url) as collector:
            valkey.kill()
            failures: list[object] = []
            emitter = Emitter(collector.url, batch_size=1, on_failure=lambda *failed: failures.append(failed))
            event_id = Tracker("sp", emitter).track(PageView(URL))
            assert len(failures) == 1
            valkey.start()
            assert [click["eventId"] for click in logged(valkey.url, 1)] == [event_id]
    finally:
        valkey.kill()


@pytest.mark.browser
@pytest.mark.parametrize(
    "options",
    [{"eventMethod": "post"}, {"eventMethod": "get"}, {"eventMethod": "post", "postPath": "/com.acme/track"}],
    ids=["post", "get", "path"],
)
def test_the_tracker_for_pages_reaches_the_topic(
    chromium: Browser, collector: Collector, redis_url: str, options: Mapping[str, object]
) -> None:
    written = json.dumps({"host": collector.url, "options": {**options, "bufferSize": 1}})
    script = unless_missing(lambda: bundled(BROWSER % written))
    with visiting(chromium, "/p/7", script, LINK) as visit:
        visit.page.goto(f"{visit.origin}/p/7?utm_source=news", referer=REFERRER)
        visit.page.evaluate("""() => {
            snowplow.enableActivityTracking({ minimumVisitLength: 1, heartbeatDelay: 1 })
            snowplow.trackPageView()
            links.enableLinkClickTracking()
            snowplow.trackStructEvent({ category: 'media', action: 'play', value: 30 })
        }""")
        visit.page.click("a")
        visit.page.evaluate("""() => {
            const products = [
              { id: 'p7', name: 'Tea', price: 19, quantity: 1, currency: 'EUR', category: 'Tea' },
              { id: 'p8', name: 'Cup', price: 3.1, quantity: 2, currency: 'EUR', category: 'Cups' },
            ]
            ecommerce.trackProductView({ ...products[0] })
            ecommerce.trackAddToCart({ products: [{ ...products[0] }], total_value: 19, currency: 'EUR' })
            const order = { transaction_id: '1001', revenue: 25.2, currency: 'EUR', payment_method: 'card' }
            ecommerce.trackTransaction({ ...order, products })
            ecommerce.trackRefund({ transaction_id: '1001', refund_amount: 6.2, currency: 'EUR' })
        }""")
        clicks = logged(redis_url, 8)
        deadline = time.monotonic() + 60
        while not collector.collected().get("not_counted") and time.monotonic() < deadline:
            visit.page.mouse.move(time.monotonic() % 50, 10)  # a ping needs activity
            visit.page.wait_for_timeout(200)
        assert collector.collected()["not_counted"] >= 1
        assert set(visit.page.evaluate("answers")) == {200}
    page = {"url": f"{visit.origin}/p/7?utm_source=news", "referrer": REFERRER, "platform": "web"}
    money = {"currency": "EUR"}
    found = [{name: click[name] for name in said(click) if name != "eventId"} for click in clicks]
    assert sorted(found, key=lambda click: str(click.get("eventType", ""))) == [
        page,
        {**page, "eventType": "add_to_cart", "productId": "p7", "quantity": 1},
        {**page, "eventType": "link_click"},
        {**page, "eventType": "play"},
        {**page, "eventType": "product_view", "productId": "p7", "quantity": 1},
        {**page, **money, "eventType": "purchase", "productId": "p7", "quantity": 1, "value": "19", "orderId": "1001"},
        {**page, **money, "eventType": "purchase_line", "productId": "p8", "quantity": 2, "value": "6.2",
         "orderId": "1001-2"},
        {**page, **money, "eventType": "refund", "value": "-6.2", "orderId": "1001"},
    ]  # fmt: skip
    assert len({click["eventId"] for click in clicks}) == 8
    (visitor,) = {click["userId"] for click in clicks}
    assert len(visitor) == 36, "the tracker's own id, which the site allows"
    assert {click["userAgent"] for click in clicks} == {AGENT}
    assert visit.errors == []


@pytest.mark.browser
def test_a_page_may_hide_addresses(chromium: Browser, collector: Collector, redis_url: str) -> None:
    options = {"anonymousTracking": {"withServerAnonymisation": True}}
    script = unless_missing(lambda: bundled(BROWSER % json.dumps({"host": collector.url, "options": options})))
    with visiting(chromium, "/", script) as visit:
        visit.page.goto(visit.origin)
        visit.page.evaluate("snowplow.trackPageView()")
        (click,) = logged(redis_url, 1)
    assert without_ids(click).keys() == {"userId", "userAgent", "site", "url", "platform"}
    assert visit.errors == []
