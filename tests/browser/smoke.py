"""CI's last step: `make demo` as a newcomer runs it, its rollups in Redis and its dashboard in a real browser.

`python -m tests.browser.smoke [SCREENSHOT.png]` prints what it saw and leaves no process behind.
"""

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import pyarrow as pa
import redis
from playwright.sync_api import Page, sync_playwright

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.contract import audience_key
from shared.rollups.reading import read
from shared.rollups.segment_keys import SEGMENTS_KEY, parse_segment_field, segment_key
from tests.browser.explore_figures import figures
from tests.support.servers.demo import FIRST_NUMBERS_SECONDS, Demo, processes, running
from tests.support.servers.server_process import free_port

_STOP_SECONDS: Final = 5.0
_PAGE_SECONDS: Final = 90.0
_SALES_SECONDS: Final = 60.0
_PANELS: Final = (
    "per-minute",
    "per-half-hour",
    "conversions",
    "products",
    "devices",
    "categories",
    "pages",
    "countries",
    "visitors",
    "log",
    "raw",
)
_CHARTS: Final = ("per-minute", "per-half-hour", "devices", "categories")


def main(screenshot: Path | None) -> None:
    """Raise AssertionError with what is wrong."""
    with tempfile.TemporaryDirectory(prefix="clickpulse-smoke-") as folder:
        port = free_port()
        began = time.monotonic()
        with running(["make", "demo", f"ARGS=--state-dir {folder}/state --port {port}"]) as demo:
            with demo.ready() as client:
                _say(f"ready {time.monotonic() - began:.1f} s after `make demo`")
                _see_rollups(client, demo)
                _see_dashboard(port, client, screenshot)
            own = demo.descendants()
            assert len(own) >= 7, f"only these processes run: {own}"  # the supervisor, five services, and the store
            seconds = demo.stop()
            assert seconds < _STOP_SECONDS, f"stopping took {seconds:.1f} s:\n{demo.output}"
            left = [pid for pid in own if pid in processes()]
            assert left == [], f"processes {left} still run:\n{demo.output}"
            _say(f"stopped in {seconds:.1f} s; no process still runs")


def _see_rollups(client: redis.Redis, demo: Demo) -> None:
    """The rollups agree with each other and grow."""
    binary = redis.Redis(port=int(client.connection_pool.connection_kwargs["port"]))
    with binary:
        first = read(binary, "all", "")
        assert first is not None, "no rollup:meta"
        demo.wait_until(lambda: _counts_more(binary, first.meta.counted), FIRST_NUMBERS_SECONDS)
        # The past eight hours arrive at once, but take more than a second.
        demo.wait_until(lambda: _has_hour(binary), FIRST_NUMBERS_SECONDS)
        rollup = read(binary, "all", "")
        assert rollup is not None
        # Orders, refunds and goals come with the history.
        demo.wait_until(lambda: _has_orders(binary), _SALES_SECONDS)
        sold = read(binary, "human", "")
        assert sold is not None
    windows = rollup.windows
    assert rollup.meta.balances, rollup.meta
    assert 0 < windows.visitors["1h"] <= windows.views["1h"]
    assert windows.visitors["5m"] <= windows.visitors["15m"] <= windows.visitors["1h"] <= windows.visitors["8h"]
    assert windows.products_1h
    assert windows.countries_1h
    assert windows.devices_10m
    assert sold.windows.goals_1h["Purchase"] >= 0
    revenue = sold.windows.revenue
    _say(f"{revenue.orders_8h:,} orders for {revenue.revenue_8h:,} {revenue.currency} in eight hours")
    _say(f"{rollup.meta.counted:,} events counted; {windows.visitors['1h']:,} visitors in the last hour")


def _counts_more(client: redis.Redis, counted: int) -> bool:
    rollup = read(client, "all", "")
    return rollup is not None and rollup.meta.counted > counted


def _has_orders(client: redis.Redis) -> bool:
    rollup = read(client, "human", "")
    return rollup is not None and rollup.windows.revenue.orders_8h > 0


def _has_hour(client: redis.Redis) -> bool:
    rollup = read(client, "all", "")
    return rollup is not None and rollup.windows.views["1h"] > 0 and bool(rollup.windows.devices_10m)


def _see_dashboard(port: int, client: redis.Redis, screenshot: Path | None) -> None:
    """The pages show their panels and the numbers of Redis, without errors of Streamlit or the browser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, "no Chromium on the PATH: apt-get install chromium"
    with sync_playwright() as playwright:
        # No sandbox: Chromium's does not run as root, and CI does.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1200})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        _wait_for_numbers(page)
        if screenshot is not None:
            page.screenshot(path=screenshot, full_page=True)
        _see_explore_page(page, client)
        assert page.locator('[data-testid="stException"]').count() == 0, page.inner_text("body")
        assert errors == [], errors
        browser.close()
    _say("the dashboard shows numbers and no error")


def _see_explore_page(page: Page, client: redis.Redis) -> None:
    """The views of the latest minute equal the rollup, the visitors of the hour equal the segments."""
    page.get_by_role("link", name="Explore").click()
    deadline = time.monotonic() + _PAGE_SECONDS
    seen: dict[str, str] = {}
    expected: dict[str, str] = {}
    while time.monotonic() < deadline:
        shown = figures(page)
        minute = re.search(r"views per minute, (\d\d:\d\d)$", shown["Latest"].about) if "Latest" in shown else None
        if minute is not None:
            seen = {title: shown[title].number for title in ("Latest", "Visitors")}
            expected = _numbers_in_redis(client, minute[1])
            if seen == expected:
                _say(f"the explore page shows the numbers of Redis: {seen}")
                return
        page.wait_for_timeout(500)
    raise AssertionError(f"the explore page shows {seen}, Redis has {expected}\n{page.inner_text('body')}")


def _numbers_in_redis(client: redis.Redis, clock: str) -> dict[str, str]:
    """Views of the minute at `clock` and visitors of the hour that ends with it, by title on the page."""
    views = {minute[11:16]: int(count) for minute, count in client.hgetall(audience_key("all", "views_1m")).items()}
    visitors = set()
    with redis.Redis(port=int(client.connection_pool.connection_kwargs["port"])) as binary:
        fields = [(str(name), *parse_segment_field(str(name))) for name in client.hkeys(SEGMENTS_KEY)]
        last = max((minute for _, minute, _ in fields if iso_second(minute * MINUTE_MS)[11:16] == clock), default=0)
        for name, minute, partition in fields:
            segment = binary.get(segment_key(name)) if last - 60 < minute <= last else None
            if segment is not None:
                numbers = pa.ipc.open_stream(segment).read_all()["visitor"].to_pylist()
                visitors |= {(partition, number) for number in numbers}
    return {"Latest": f"{views.get(clock, -1):,}", "Visitors": f"{len(visitors):,}"}


def _wait_for_numbers(page: Page) -> None:
    """Wait until every panel and chart is drawn and visitors are active now."""
    missing = []
    deadline = time.monotonic() + _PAGE_SECONDS
    while time.monotonic() < deadline:
        missing = [panel for panel in _PANELS if not page.locator(f".card-{panel}").count()]
        missing += [
            f"the chart of {panel}"
            for panel in _CHARTS
            if not page.locator(f".card-{panel} .js-plotly-plot .main-svg").count()
        ]
        text = page.inner_text("body")
        if not re.search(r"Active now\s+[1-9]", text):
            missing.append("visitors active now")
        if not missing:
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"not on the page within {_PAGE_SECONDS:.0f} s: {missing}\n{page.inner_text('body')}")


def _say(text: str) -> None:
    sys.stdout.write(f"smoke: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
