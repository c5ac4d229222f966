"""`python -m benchmarks.wire URL`: what an open page costs on the wire, and how steadily it loads.

Chromium reaches the dashboard at URL through a relay that counts the bytes of every connection, because a browser
reports a WebSocket's messages only after it has unpacked them. Each page is opened cold, once for each width.

- `cold_kb`: everything received, from the first request until the page shows its numbers and charts
- `down_kb_s`, `up_kb_s`: what the open page then receives and sends
- `first_number_ms`: from the navigation until a key figure shows
- `layout_shift`: Chromium's cumulative layout shift until the charts have been there for two seconds
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.support.servers.chromium import running_chromium
from tests.support.servers.counting_relay import Traffic, relaying

PAGES: Final = ("", "explore", "operations")
WIDTHS: Final = (390, 820, 1160, 1440, 1920)
_LOAD_MS: Final = 120_000
_SETTLE_SECONDS: Final = 2.0

WATCH: Final = """
    window.shifts = []
    const text = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(' ')
    const note = ({ value, startTime: at, sources, hadRecentInput }) => {
        if (hadRecentInput) return
        const of = sources.map(({ node, previousRect, currentRect }) =>
            `${node?.nodeName}.${node?.className ?? node?.data}: ${text(previousRect)} > ${text(currentRect)}`)
        window.shifts.push({ value, at, of })
    }
    new PerformanceObserver(list => list.getEntries().forEach(note)).observe({ type: 'layout-shift', buffered: true })
    const look = () => {
        const number = document.querySelector('.kpi .number')
        const isShown = number?.checkVisibility({ visibilityProperty: true })
        if (isShown && /\\d|–/.test(number.textContent)) window.firstNumber = performance.now()
        else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
"""
"""Run before a page's own scripts: records layout shifts and the time of the first key figure."""

LAYOUT_SHIFT: Final = """() => {
    // The greatest sum of shifts within a second of one another and five seconds in all, as the metric is defined.
    let most = 0, sum = 0, first = 0, last = -Infinity
    for (const { value, at } of window.shifts) {
        if (at - last > 1000 || at - first > 5000) [sum, first] = [0, at]
        last = at
        most = Math.max(most, sum += value)
    }
    return most
}"""


def main(arguments: Sequence[str]) -> int:
    """Measure and print one flat JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__)
    parser.add_argument("url", help="a running dashboard without sign-in, such as http://127.0.0.1:8501")
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch each open page (default 30)")
    parser.add_argument("--pages", nargs="*", default=PAGES, help="the pages' paths (default all)")
    parser.add_argument("--widths", nargs="*", type=int, default=WIDTHS, help="px (default five)")
    options = parser.parse_args(arguments)
    url = urlsplit(options.url)
    figures: dict[str, Any] = {}
    with running_chromium() as chromium:
        for path in options.pages:
            for width in options.widths:
                with relaying(url.port or 80) as (port, traffic):
                    seconds = options.seconds if width == 1440 else 0
                    address = f"http://127.0.0.1:{port}{url.path.rstrip('/')}/{path}"
                    for name, figure in measure(chromium, address, traffic, width, seconds).items():
                        figures[f"{path or 'live'}_{width}_{name}"] = figure
    print(json.dumps(figures, indent=2))  # noqa: T201 - the command's output
    return 0


def measure(chromium: Browser, address: str, traffic: Traffic, width: int, seconds: float) -> dict[str, float]:
    """Open a page cold at a width, and then watch it."""
    context = chromium.new_context(viewport={"width": width, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(_LOAD_MS)
        page.add_init_script(WATCH)
        page.goto(address)
        wait_until_shown(page)
        cold_bytes = traffic.down
        page.wait_for_timeout(1000 * _SETTLE_SECONDS)
        figures = {
            "cold_kb": round(cold_bytes / 1000, 1),
            "first_number_ms": round(page.evaluate("window.firstNumber")),
            "layout_shift": round(page.evaluate(LAYOUT_SHIFT), 3),
        }
        if seconds:
            began, down, up = time.monotonic(), traffic.down, traffic.up
            page.wait_for_timeout(1000 * seconds)
            lasted = time.monotonic() - began
            figures["down_kb_s"] = round((traffic.down - down) / 1000 / lasted, 2)
            figures["up_kb_s"] = round((traffic.up - up) / 1000 / lasted, 2)
        return figures
    finally:
        context.close()


def wait_until_shown(page: Page) -> None:
    """Wait for a page's key figures and for all its charts."""
    page.wait_for_function("() => window.firstNumber > 0")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.live-plot')].every(plot => plot.querySelector('.main-svg'))"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
