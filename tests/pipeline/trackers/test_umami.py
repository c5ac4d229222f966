"""Umami's clients for servers, in Node and in Python, from the call to the raw topic."""

import json
from typing import Final

import pytest
import umami

from tests.pipeline.trackers.conftest import logged, said, unless_missing
from tests.support.servers.collector import Collector
from tests.support.trackers.packages import run_in_node

pytestmark = pytest.mark.timeout(200)

NODE: Final = """
const { default: umami } = require('@umami/node')
umami.init({ websiteId: 'shop.example', hostUrl: %s, userAgent: 'Mozilla/5.0 Firefox/140.0' })
const calls = [
  () => umami.track({ hostname: 'shop.example', url: '/p/7?utm_source=news', referrer: 'https://search.example/' }),
  () => umami.track('purchase', { revenue: 1322.22, currency: 'eur', productId: 'p7', orderId: '1001', quantity: 2 }),
  () => umami.track({ url: '/account', name: 'Signup', id: 'u1' }),
  () => umami.identify({ plan: 'pro' }),
  () => umami.track('purchase', { revenue: 'a lot' }),
]
;(async () => {
  const answers = []
  for (const call of calls) {
    const answer = await call()
    answers.push([answer.status, await answer.json()])
  }
  console.log(JSON.stringify(answers))
})()
"""


def test_the_client_for_node_reaches_the_topic(collector: Collector, redis_url: str) -> None:
    answers = json.loads(unless_missing(lambda: run_in_node(NODE % json.dumps(collector.url))))
    assert [status for status, _ in answers] == [200, 200, 200, 200, 400]
    assert all(set(answer) == {"cache", "sessionId", "visitId"} for _, answer in answers[:-1])
    assert answers[-1][1]["error"]["field"] == "data.revenue"
    clicks = logged(redis_url, 3)
    assert clicks[2]["userId"] == "u1"
    assert clicks[0]["userId"] == clicks[1]["userId"] != "u1"
    view, purchase, signup = map(said, clicks)
    assert view == {"url": "https://shop.example/p/7?utm_source=news", "referrer": "https://search.example/"}
    assert purchase == {
        "eventType": "purchase", "value": "1322.22", "currency": "EUR", "productId": "p7", "orderId": "1001",
        "quantity": 2,
    }  # fmt: skip
    assert signup == {"eventType": "Signup", "url": "/account"}


def test_the_client_for_python_reaches_the_topic(collector: Collector, redis_url: str) -> None:
    umami.set_url_base(collector.url)
    umami.set_website_id("b59e9c65-ae32-47f1-8400-119fcf4861c4")
    umami.set_hostname("www.shop.example")
    answers = [
        umami.new_page_view("Tea", "/p/7", referrer="https://search.example/", distinct_id=700, ip_address="9.9.9.9"),
        umami.new_event("Signup", url="/account", custom_data={"plan": "pro"}),
        umami.new_revenue_event(19.99, "EUR", "purchase", url="/thanks", custom_data={"order_id": "1001", "sku": "p7"}),
    ]
    assert all(set(answer) == {"cache", "sessionId", "visitId"} for answer in answers)
    clicks = logged(redis_url, 3)
    assert clicks[0]["userId"] == "700"
    assert clicks[1]["userId"] == clicks[2]["userId"] != "700"
    assert [said(click) for click in clicks] == [
        {"url": "https://shop.example/p/7", "referrer": "https://search.example/"},
        {"url": "https://shop.example/account", "eventType": "Signup"},
        {"url": "https://shop.example/thanks", "eventType": "purchase", "value": "19.99", "currency": "EUR",
         "orderId": "1001", "productId": "p7"},
    ]  # fmt: skip
