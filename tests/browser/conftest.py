"""The real dashboard in a real browser: a dashboard process, Chromium, and a Valkey that tests start and stop."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page
from playwright.sync_api import TimeoutError as PageTimeoutError

from shared.runtime.redis_client import connect
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

START_SECONDS: Final = 120.0
PAGE_MS: Final = 60_000
_OPENINGS: Final = 3


Place = Callable[[FloatRect], tuple[float, float]]


def foot(box: FloatRect) -> tuple[float, float]:
    """The foot of a bar, which exists however low the bar is."""
    return box["x"] + box["width"] / 2, box["y"] + box["height"] - 2


class Dashboard:
    """A running `clickpulse dashboard`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, redis_port: int, base_path: str) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}{base_path}"
        self.redis_port = redis_port


@contextmanager
def running_dashboard(
    redis_port: int,
    log: Path,
    base_path: str = "",
    settings: Mapping[str, str] | None = None,
    port: int | None = None,
    program: Sequence[str] = ("-m", "services.dashboard"),
) -> Iterator[Dashboard]:
    """A dashboard on a free port that reads the Redis at `redis_port`, even if none runs there.

    `program` are the arguments of Python that start it.
    """
    port = port or free_port()
    environment = {
        **os.environ,
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "DASHBOARD_PORT": str(port),
        "DASHBOARD_ADDRESS": "127.0.0.1",
        "STREAMLIT_SERVER_BASE_URL_PATH": base_path,
        "HISTORY_API_URL": "http://127.0.0.1:9",  # not that of a demo on this machine
        **(settings or {}),
    }
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *program], env=environment, stdout=output, stderr=subprocess.STDOUT)
    dashboard = Dashboard(process, port, redis_port, base_path)
    try:
        eventually(lambda: _is_healthy(dashboard), "the dashboard's health", START_SECONDS)
        yield dashboard
    finally:
        process.kill()
        process.wait()


def _is_healthy(dashboard: Dashboard) -> bool:
    assert dashboard.process.poll() is None, "the dashboard exited"
    try:
        with urllib.request.urlopen(f"{dashboard.url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="package")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """One dashboard for all tests of this worker. Its Redis is `valkey`, or down."""
    with running_dashboard(free_port(), tmp_path_factory.mktemp("dashboard") / "dashboard.log") as running:
        yield running


@pytest.fixture
def valkey(dashboard: Dashboard, tmp_path: Path) -> Iterator[Any]:
    """A client of a real, empty Valkey on the dashboard's port."""
    with running_valkey(tmp_path, dashboard.redis_port) as url, connect(url) as client:
        yield client


class Visit:
    """A page, and the errors and requests of the browser since it was opened."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.network_changed = False
        self.errors: list[str] = []
        self.foreign_requests: list[str] = []
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url.replace("ws://", "http://", 1)))
        page.set_default_timeout(PAGE_MS)

    def _hear(self, kind: str, text: str) -> None:
        if kind != "error":
            return
        if "ERR_NETWORK_CHANGED" in text:
            self.network_changed = True
        else:
            self.errors.append(text)

    def _note(self, url: str) -> None:
        origin = "/".join(self.url.split("/")[:3])
        if not url.startswith((f"{self.url}/", "data:", f"blob:{origin}/")):
            self.foreign_requests.append(url)

    def open(self, path: str = "/") -> None:
        """Open the page at `path` and wait for its status strip.

        Retries when a network interface of the machine changes, as those of containers do: Chromium then aborts loads.
        """
        for _ in range(_OPENINGS):
            self.network_changed = False
            self.page.goto(self.url + path)
            try:
                self.page.wait_for_selector(".strip")
            except PageTimeoutError:
                if not self.network_changed:
                    raise
            else:
                return
        pytest.fail("the machine's network interfaces keep changing")

    def arrive(self, selector: str) -> None:
        """Wait for what a page shows after the browser was led to it, with the same retries as `open`."""
        for _ in range(_OPENINGS):
            try:
                self.page.wait_for_selector(selector)
            except PageTimeoutError:
                if not self.network_changed:
                    raise
                self.network_changed = False
                self.page.reload()
            else:
                return
        pytest.fail("the machine's network interfaces keep changing")

    def wait_for_standing(self, standing: str) -> str:
        """Wait until the status strip has that standing; its text."""
        return self.page.wait_for_selector(f'.strip[data-standing="{standing}"]').inner_text()  # type: ignore[union-attr]  # it waits for one

    def wait_for_charts(self, charts: int = 4) -> None:
        self.page.wait_for_function(
            "charts => document.querySelectorAll('.live-plot:has(.main-svg)').length === charts", arg=charts
        )

    def point_at(self, shape: Locator, label: Locator, place: Place) -> tuple[float, float]:
        """Point at a shape of a chart until its label shows; the mouse's place. The layout may still move."""

        def pointed() -> tuple[float, float] | None:
            shape.scroll_into_view_if_needed()
            box = shape.bounding_box()
            assert box is not None
            self.page.mouse.move(*place(box))
            return place(box) if label.count() else None

        return eventually(pointed, "the label of a shape")

    def key_figures(self) -> list[str]:
        return self.page.locator(".kpi .number").all_inner_texts()


@contextmanager
def visiting(browser: Browser, url: str, **context: Any) -> Iterator[Visit]:
    """A page in its own browser context, not opened yet."""
    own = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **context})
    try:
        yield Visit(own.new_page(), url)
    finally:
        own.close()


@pytest.fixture
def visit(chromium: Browser, dashboard: Dashboard) -> Iterator[Visit]:
    """A page of the dashboard, not opened yet. After each test: no error, and no request to another host."""
    with visiting(chromium, dashboard.url) as visit:
        yield visit
        assert visit.errors == []
        assert visit.foreign_requests == []
