"""Somebody clicks in the shop: the dashboard's numbers follow, and the path earns an offer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.traffic.lookups import PRODUCTS_FILE, shop, write_lookups
from services.traffic.world import World
from shared.runtime.redis_client import connect
from tests.support.polling import eventually
from tests.support.servers.collector import Collector, running_collector

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

GOALS = '[[goal]]\nname = "Purchase"\nevent_type = "purchase"\n'


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Iterator[Collector]:
    """A collector with the shop, and the services that count its clicks and answer them."""
    write_lookups(World(seed=1, rate=1, visitors=10), tmp_path)
    goals = tmp_path / "goals.toml"
    goals.write_text(GOALS)
    environment = os.environ | {
        "REDIS_URL": redis_url, "STATE_DIR": str(tmp_path / "state"), "GOALS_FILE": str(goals),
        "TRUST_CLAIMED_PROFILE": "true",
    }  # fmt: skip
    command = [sys.executable, "-m", "services.cli"]
    load = [*command, "load-lookups", "--products", str(tmp_path / PRODUCTS_FILE)]
    subprocess.run(load, env=environment, check=True, capture_output=True)
    with ExitStack() as stack:
        for service in ("enrich", "aggregate", "detect"):
            log = stack.enter_context((tmp_path / f"{service}.log").open("wb"))
            process = subprocess.Popen([*command, service], env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        with connect(redis_url) as client:
            eventually(lambda: client.hget("rollup:meta", "partitions") == b"4", "the rollups are published", 90)
        catalogue = tmp_path / "shop.json"
        catalogue.write_bytes(msgspec.json.encode(shop()))
        yield stack.enter_context(running_collector(tmp_path, redis_url, COLLECT_SHOP=str(catalogue)))


def test_clicks_in_the_shop_are_counted_and_earn_an_offer(site: Collector, redis_url: str, chromium: "Browser") -> None:
    context = chromium.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(site.url)
    page.select_option("#persona", "1")  # Anna, 29
    with connect(redis_url) as client:
        for slug in ("oxford-shirt", "cork-sandal", "linen-summer-dress"):
            page.goto(f"{site.url}/p/{slug}")
            eventually(partial(is_viewed_once, client, f"/p/{slug}"), f"{slug} is counted", 30)
        page.wait_for_selector("#offer:not([hidden])", timeout=30_000)
        assert "dress" in page.inner_text("#offer p")
        buy_what_is_shown(page, site.url)
        eventually(lambda: purchases(client) == 1, "the purchase is a conversion", 30)
        revenue = {name.decode(): value.decode() for name, value in client.hgetall("rollup:all:revenue").items()}
        assert "79" in json.dumps(revenue)
        latest = json.loads(client.lindex("rollup:events:latest", 0))
        assert latest["site"] == "shop.example"
        visitors = client.hget("rollup:all:visitors", "1h")
        assert visitors == b"1"
    assert problems == []
    context.close()


def buy_what_is_shown(page: "Page", url: str) -> None:
    page.click("[data-add]")
    page.goto(f"{url}/cart")
    page.click("text=To the checkout")
    page.click("#order")
    page.wait_for_url("**/checkout/thank-you")


def is_viewed_once(client: Any, path: str) -> bool:
    return bool(client.zscore("rollup:all:pages:1h", path) == 1)


def purchases(client: Any) -> int:
    return int(client.zscore("rollup:all:goals:1h", "Purchase") or 0)


def test_the_script_is_served_small_and_cached(site: Collector) -> None:
    whole = site.send(path="/s.js", method="GET")
    packed = site.send(path="/s.js", method="GET", headers={"Accept-Encoding": "gzip"})
    assert (whole.status, packed.status, packed.headers["content-encoding"]) == (200, 200, "gzip")
    assert len(packed.body) <= 1_500
    again = site.send(path="/s.js", method="GET", headers={"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
