"""Segment's SDKs for Python, Node and pages, from the call to the raw topic."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser
from segment.analytics import Client

from shared.runtime.redis_client import connect
from tests.pipeline.trackers.conftest import AGENT, logged, unless_missing, visiting
from tests.support.servers.collector import Collector, running_collector
from tests.support.servers.valkey import Valkey
from tests.support.trackers.packages import bundled, run_in_node

pytestmark = pytest.mark.timeout(300)

KEY: Final = "the secret key of a server"
WRITE_KEY: Final = "public"
PAGE: Final = {"url": "https://shop.example/p/7?utm_source=news", "referrer": "https://search.example/"}
ORDER: Final = {
    "order_id": "1001",
    "revenue": 25.2,
    "currency": "EUR",
    "products": [{"product_id": "p7", "price": 19, "quantity": 1}, {"product_id": "p8", "price": 3.1, "quantity": 2}],
}
LINES: Final = [
    {"eventType": "purchase", "productId": "p7", "quantity": 1, "value": "19", "currency": "EUR", "orderId": "1001"},
    {"eventType": "purchase_line", "productId": "p8", "quantity": 2, "value": "6.2", "currency": "EUR",
     "orderId": "1001-2"},
]  # fmt: skip
NODE: Final = """
const { Analytics } = require('@segment/analytics-node')
const { key, host, context, order } = %s
const analytics = new Analytics({ writeKey: key, host, flushAt: 3, flushInterval: 100 })
analytics.on('error', error => console.log(error))
const responses = []
analytics.on('http_response', ({ status }) => responses.push(status))
analytics.identify({ userId: 'u-1', traits: { plan: 'pro' }, context })
analytics.page({ userId: 'u-1', name: 'Tea', properties: context.page, messageId: 'm-1', context })
analytics.track({ anonymousId: 'a-1', event: 'Order Completed', properties: order, context, messageId: 'm-2' })
analytics.track({ userId: 'u-1', event: 'Signed Up', timestamp: new Date(Date.now() - 3_600_000) })
analytics.closeAndFlush().then(() => console.log(JSON.stringify(responses)))
"""
BROWSER: Final = """
import { AnalyticsBrowser } from '@segment/analytics-next'
const { key, host, delivery, order, fetches } = %s
const settings = { apiKey: key, apiHost: host + '/v1', protocol: 'http', deliveryStrategy: delivery }
window.analytics = AnalyticsBrowser.load(
  {
    writeKey: key,
    ...(fetches ? { cdnURL: 'http://' + host } : { cdnSettings: { integrations: { 'Segment.io': settings } } }),
  },
  { integrations: { 'Segment.io': settings } },
)
window.failed = []
analytics.on('error', error => failed.push(String(error.reason)))
window.order = order
"""


@pytest.fixture
def keyed(tmp_path: Path, redis_url: str) -> Iterator[Collector]:
    """A collector that knows the keys of shop.example."""
    sites = tmp_path / "sites.toml"
    sites.write_text(f'[[sites]]\nname="shop.example"\nkey="{KEY}"\nwrite_key="{WRITE_KEY}"\nuser_ids=true\n')
    with running_collector(tmp_path, redis_url, SITES_FILE=str(sites)) as running:
        yield running


def without(click: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in click.items() if name not in names}


def test_the_client_for_python_reaches_the_topic(keyed: Collector, redis_url: str) -> None:
    errors: list[tuple[Exception, object]] = []
    client = Client(KEY, host=keyed.url, gzip=True, on_error=lambda *error: errors.append(error), upload_interval=0.2)
    context = {"page": PAGE, "ip": "9.9.9.9", "userAgent": AGENT}
    before_ms = time.time() * 1000
    client.identify("u-1", {"plan": "pro"})
    client.page("u-1", "Docs", "Tea", PAGE, context=dict(context), message_id="m-1")
    an_hour_ago = datetime.fromtimestamp(time.time() - 3600, UTC)
    client.track("u-1", "Signed Up", {"plan": "pro"}, timestamp=an_hour_ago, message_id="m-2")
    client.track(anonymous_id="a-1", event="Order Completed", properties=ORDER, context=dict(context), message_id="m-3")
    client.shutdown()
    assert errors == []
    signup, view, *lines = logged(redis_url, 4)
    assert abs(signup.pop("timestamp") - an_hour_ago.timestamp() * 1000) < 60_000
    assert signup == {"userId": "u-1", "eventId": "m-2", "eventType": "Signed Up", "site": "shop.example"}
    assert before_ms - 60_000 < view.pop("timestamp") < time.time() * 1000
    visitor = {"ip": "9.9.9.9", "userAgent": AGENT, "site": "shop.example", **PAGE}
    assert view == {"userId": "u-1", "eventId": "m-1", **visitor}
    assert [without(line, "timestamp", "eventId") for line in lines] == [
        {"userId": "a-1", **visitor, **line} for line in LINES
    ]
    assert [line["eventId"] for line in lines] == ["m-3", "m-3:2"]


def test_the_client_for_python_hears_of_a_wrong_key(keyed: Collector) -> None:
    errors: list[Any] = []
    client = Client("wrong", host=keyed.url, on_error=lambda error, _: errors.append(error), upload_interval=0.2)
    client.track("u-1", "Signed Up")
    client.shutdown()
    assert [(error.status, error.code) for error in errors] == [(401, "wrong_key")]


def test_the_client_for_python_waits_as_it_is_told(tmp_path: Path, redis_url: str) -> None:
    """A limit of the address: 429 with Retry-After. What was refused arrives, once."""
    with running_collector(tmp_path, redis_url, COLLECT_EVENTS_PER_SECOND="1") as collector:
        client = Client("any", host=collector.url, upload_size=10, upload_interval=0.5, max_retries=2)
        for number in range(20):
            client.track(anonymous_id="a-1", event="Signed Up", message_id=f"m-{number}")
        client.shutdown()
        clicks = logged(redis_url, 20)
        assert {click["eventId"] for click in clicks} == {f"m-{number}" for number in range(20)}
        assert collector.collected()["rate_limited"] > 0


def test_the_client_for_python_tries_again_when_the_log_is_away(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path, fsync="always")
    valkey.start()
    try:
        with running_collector(tmp_path, valkey.url) as collector:
            valkey.kill()
            client = Client("any", host=collector.url, upload_interval=0.2)
            client.track(anonymous_id="a-1", event="Signed Up", message_id="m-1")
            time.sleep(1)
            assert client.queue.unfinished_tasks == 1
            valkey.start()
            client.shutdown()
            with connect(valkey.url) as redis:
                assert redis.ping()
            assert [click["eventId"] for click in logged(valkey.url, 1)] == ["m-1"]
    finally:
        valkey.kill()


def test_the_client_for_node_reaches_the_topic(keyed: Collector, redis_url: str) -> None:
    context = {"page": PAGE, "ip": "9.9.9.9", "userAgent": AGENT}
    options = json.dumps({"key": KEY, "host": keyed.url, "context": context, "order": ORDER})
    responses = unless_missing(lambda: run_in_node(NODE % options))
    assert set(json.loads(responses)) == {200}
    signup, view, *lines = logged(redis_url, 4)
    assert abs(signup["timestamp"] - (time.time() - 3600) * 1000) < 60_000
    visitor = {"ip": "9.9.9.9", "userAgent": AGENT, "site": "shop.example", **PAGE}
    assert without(signup, "timestamp", "eventId") == {
        "userId": "u-1", "eventType": "Signed Up", "site": "shop.example",
    }  # fmt: skip
    assert without(view, "timestamp") == {"userId": "u-1", "eventId": "m-1", **visitor}
    assert [without(line, "timestamp", "eventId") for line in lines] == [
        {"userId": "a-1", **visitor, **line} for line in LINES
    ]


@pytest.mark.browser
@pytest.mark.parametrize("delivery", ["standard", "batching"])
def test_the_client_for_pages_reaches_the_topic(
    chromium: Browser, keyed: Collector, redis_url: str, delivery: str
) -> None:
    strategy = {"strategy": delivery, "config": {"size": 3, "timeout": 500} if delivery == "batching" else {}}
    host = keyed.url.removeprefix("http://")
    fetches = delivery == "batching"  # its settings, where the other has them in its page
    options = json.dumps({"key": WRITE_KEY, "host": host, "delivery": strategy, "order": ORDER, "fetches": fetches})
    script = unless_missing(lambda: bundled(BROWSER % options))
    with visiting(chromium, "/p/7", script) as visit:
        visit.page.goto(f"{visit.origin}/p/7?utm_source=news", referer="https://search.example/")
        visit.page.evaluate("analytics.page('Tea')")
        visit.page.evaluate("analytics.identify('u-1', { plan: 'pro' })")
        visit.page.evaluate("analytics.track('Product Added', { product_id: 'p7', price: 19, quantity: 1 })")
        visit.page.evaluate("analytics.track('Order Completed', order)")
        clicks = logged(redis_url, 4)
        assert visit.page.evaluate("failed") == []
    page = {"url": f"{visit.origin}/p/7?utm_source=news", "referrer": "https://search.example/"}
    visitor = {"ip": "127.0.0.1", "userAgent": AGENT, "site": "shop.example", **page}
    assert [without(click, "timestamp", "eventId", "userId") for click in clicks] == [
        visitor,
        {**visitor, "eventType": "add_to_cart", "productId": "p7", "quantity": 1},
        *({**visitor, **line} for line in LINES),
    ]
    assert clicks[0]["userId"] not in ("", "u-1")
    assert {click["userId"] for click in clicks[1:]} == {"u-1"}
    assert len({click["eventId"] for click in clicks}) == 4
    assert visit.errors == []
