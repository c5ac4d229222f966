"""What the script costs a page, in Chromium: `python -m benchmarks.page_load [LOADS]`, 30 of each kind by default.

A page of the demonstration shop is loaded with and without the script's element, in turn and each time with an empty
cache. The script comes from a running collector, which also gets the view. Once as it is on this machine, and once with
a processor that is four times slower behind a mobile network: 150 ms away, 1.6 Mbit/s down and 0.75 up.

All times are medians in ms since the navigation began: `fcp` and `lcp` when the first and the largest content is
painted, `dom` and `load` when the events of these names end. `script` is the time that Chromium spends in all scripts
of the page. `_iqr` is from the first to the third quartile.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Final

from playwright.sync_api import Browser

from benchmarks.processes import answer, quieten_logs
from services.collect.request import Request
from services.collect.script.content import CONTENT, GZIPPED
from services.collect.shop.catalogue import Catalogue, read_catalogue
from services.collect.shop.documents import SHOP_SITE, Shop
from services.traffic.lookups import SHOP_FILE, write_lookups
from services.traffic.world import World
from tests.support.servers.chromium import running_chromium
from tests.support.servers.collector import running_collector
from tests.support.servers.valkey import running_valkey

_SETTLE_MS: Final = 400  # the largest paint is final then
_KBIT: Final = 1000 / 8
_SLOW_NETWORK: Final = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1600 * _KBIT,
    "uploadThroughput": 750 * _KBIT,
}
_WATCH: Final = """
    window.largest = 0
    new PerformanceObserver(list => list.getEntries().forEach(({ startTime }) => { window.largest = startTime }))
        .observe({ type: 'largest-contentful-paint', buffered: true })
"""
_READ: Final = """() => {
    const [page] = performance.getEntriesByType('navigation')
    return {
        fcp: performance.getEntriesByName('first-contentful-paint')[0].startTime,
        lcp: window.largest,
        dom: page.domContentLoadedEventEnd,
        load: page.loadEventEnd,
    }
}"""


@contextmanager
def _serving(shop: Shop) -> Iterator[str]:
    """The address of a web server with the shop's pages."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def handle(self) -> None:
            with suppress(ConnectionError):  # browsers close connections when they like
                super().handle()

        def do_GET(self) -> None:
            found = shop.answer(Request("GET", self.path, "", {}, b"", "127.0.0.1", 0))
            self.send_response(found.status)
            self.send_header("Content-Type", found.content_type)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _WithoutScript(Shop):
    def answer(self, request: Request) -> Any:
        found = super().answer(request)
        head, _, rest = found.body.partition(b"<script defer data-manual")
        return found._replace(body=head + rest.partition(b"</script>")[2]) if rest else found


def _load(chromium: Browser, address: str, *, is_slow: bool) -> dict[str, float]:
    """Load a page once, as a new visitor."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        if is_slow:
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", _SLOW_NETWORK)
            session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        page.goto(address, wait_until="load")
        page.wait_for_timeout(_SETTLE_MS)
        figures: dict[str, float] = page.evaluate(_READ)
        metrics = session.send("Performance.getMetrics")["metrics"]
        seconds = next(metric["value"] for metric in metrics if metric["name"] == "ScriptDuration")
        return {**figures, "script": 1000 * seconds}
    finally:
        context.close()


def _measure(chromium: Browser, catalogue: Catalogue, script: str, loads: int) -> dict[str, float]:
    figures: dict[str, float] = {"script_bytes": len(CONTENT), "script_gzipped_bytes": len(GZIPPED)}
    path = f"/p/{next(iter(catalogue.by_slug))}"
    with (
        _serving(Shop(catalogue, SHOP_SITE, script)) as with_script,
        _serving(_WithoutScript(catalogue, SHOP_SITE, script)) as without,
    ):
        for speed in ("", "slow_"):
            found: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
            for number in range(loads + 2):
                kinds = [("with", with_script), ("without", without)]
                for name, address in kinds[:: 1 if number % 2 else -1]:
                    figure = _load(chromium, address + path, is_slow=bool(speed))
                    if number >= 2:  # the first ones warm up
                        found[name].append(figure)
            for figure_name in found["with"][0]:
                for name, all_loads in found.items():
                    values = [one[figure_name] for one in all_loads]
                    first, _, third = statistics.quantiles(values, n=4)
                    figures[f"{speed}{figure_name}_{name}"] = round(statistics.median(values), 1)
                    figures[f"{speed}{figure_name}_{name}_iqr"] = round(third - first, 1)
    return figures


def main(arguments: Sequence[str]) -> None:
    """Measure and print one flat JSON object."""
    loads = int((*arguments, "30")[0])
    with TemporaryDirectory(prefix="clickpulse-bench-") as directory, running_valkey(Path(directory)) as redis_url:
        write_lookups(World(seed=1, rate=1, visitors=10), Path(directory))
        catalogue = read_catalogue((Path(directory) / SHOP_FILE).read_bytes())
        with running_collector(Path(directory), redis_url) as collector, running_chromium() as chromium:
            figures = _measure(chromium, catalogue, f"{collector.url}/s.js", loads)
            accepted = collector.collected().get("accepted", 0)
    answer({**figures, "views": accepted, "load_average": round(os.getloadavg()[0], 1)})


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1:])
