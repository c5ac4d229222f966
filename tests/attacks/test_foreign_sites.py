"""What a page of another site tries with a dashboard that its visitor can reach, in a real browser.

The dashboard and the browser may reach this machine alone: whatever either asks of another host is recorded.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.runtime.redis_client import connect as connect_redis
from tests.browser.conftest import PAGE_MS, Dashboard, running_dashboard
from tests.browser.test_explore_page import publish_hour
from tests.support.polling import eventually
from tests.support.servers.chromium import launch
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

VIEWERS = 10
SOCKETS, LONG_SOCKETS = 500, 2_000
OUTSIDE = "reaches for"

RECORDING = f"""
import sys

def record(event, arguments):
    place = {{"socket.connect": 1, "socket.getaddrinfo": 0, "socket.sendto": 1, "socket.gethostbyname": 0}}.get(event)
    if place is not None:
        host = arguments[place][0] if isinstance(arguments[place], tuple) else arguments[place]
        if host not in ("127.0.0.1", "::1", "localhost", None):
            print("{OUTSIDE}", host, flush=True)
    elif event == "subprocess.Popen":
        print("{OUTSIDE}", arguments, flush=True)

sys.addaudithook(record)
from services.dashboard.__main__ import main
sys.exit(main([]))
"""

PAGE = """<!DOCTYPE html><title>attack</title><script>
const said = {}
const socket = new WebSocket("ws://DASHBOARD/_stcore/stream", ["streamlit"])
socket.onopen = () => said.socket = "open"
socket.onclose = (event) => said.socket ??= `closed ${event.code}`
for (const [name, options] of Object.entries({
  simple: {mode: "no-cors"}, readable: {}, upload: {mode: "no-cors", method: "POST", body: "x"},
  with_cookies: {mode: "no-cors", credentials: "include"},
})) fetch("http://DASHBOARD/_stcore/host-config", options)
  .then((answer) => said[name] = `${answer.type} ${answer.status}`, (error) => said[name] = "failed")
const script = document.createElement("script")
script.src = "http://DASHBOARD/ASSET"
script.onload = () => said.script = "loaded"
script.onerror = () => said.script = "failed"
document.head.append(script)
</script><iframe src="http://FRAMED/" width="800" height="600"></iframe>"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A dashboard, a site of someone else, and a browser for which every name is this machine."""

    dashboard: Dashboard
    log: Path
    site_port: int
    browser: Browser
    net_log: Path

    @property
    def port(self) -> int:
        return urlsplit(self.dashboard.url).port or 0

    def open(self, url: str) -> Page:
        page = self.browser.new_page()
        page.set_default_timeout(PAGE_MS)
        page.goto(url)
        return page

    def refusals(self, about: str) -> int:
        """How many lines of the dashboard's log say that it refused a request about something."""
        lines = self.log.read_text().splitlines()
        return sum("refused a request" in line and about in line for line in lines)


@pytest.fixture(scope="module")
def scene(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("foreign")
    redis_port = free_port()

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = self.path.strip("/").replace("framed=", "")
            body = PAGE.replace("DASHBOARD", f"127.0.0.1:{port}").replace("FRAMED", own or f"127.0.0.1:{port}")
            body = body.replace("ASSET", "static/js/none.js")
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        settings = {
            "DASHBOARD_HOSTS": "stats.example",
            "DASHBOARD_FRAME_ANCESTORS": f"http://intranet.example:{site.server_port}",
            "DASHBOARD_VIEWERS": str(VIEWERS),
        }
        with (
            running_valkey(folder, redis_port) as url,
            connect_redis(url) as client,
            running_dashboard(redis_port, folder / "log", settings=settings, program=("-c", RECORDING)) as dashboard,
        ):
            publish_hour(client)
            port = urlsplit(dashboard.url).port or 0
            net_log = folder / "net.json"
            browser = launch(
                chromium.browser_type,
                "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
                f"--log-net-log={net_log}",
            )
            try:
                yield Scene(dashboard, folder / "log", site.server_port, browser, net_log)
            finally:
                browser.close()
                site.shutdown()


def test_a_name_that_resolves_to_this_machine_shows_no_page(scene: Scene) -> None:
    page = scene.open(f"http://rebound.example:{scene.port}/explore")
    assert "DASHBOARD_HOSTS" in page.inner_text("body")
    assert "rebound.example" in page.inner_text("body")
    assert page.locator("#root").count() == 0
    # Scripts of that page are of the same origin as what they ask for.
    statuses = page.evaluate("""async () => {
        const asked = ["/", "/_stcore/health", "/_stcore/host-config", "/static/js/x.js", "/assets/x"]
        return (await Promise.all(asked.map((path) => fetch(path)))).map((answer) => answer.status)
    }""")
    assert statuses == [403] * 5
    assert (
        page.evaluate("""() => new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/_stcore/stream`, ["streamlit"])
        socket.onopen = () => done("open")
        socket.onclose = (event) => done(event.code)
    })""")
        == 1006
    )
    assert scene.refusals("rebound.example") > 0
    page.close()


def test_another_sites_page_gets_no_socket_no_script_and_no_answer(scene: Scene) -> None:
    page = scene.open(f"http://evil.example:{scene.site_port}/")
    said = eventually(lambda: heard if len(heard := page.evaluate("said")) == 6 else None, "the ends of six attempts")
    assert said["socket"] == "closed 1006"
    assert said["script"] == "failed"
    assert said["readable"] == "failed"
    assert scene.refusals("evil.example") > 0
    page.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "stats.example"])
def test_another_sites_page_cannot_frame_the_dashboard(scene: Scene, name: str) -> None:
    page = scene.open(f"http://evil.example:{scene.site_port}/framed={name}:{scene.port}")
    error = "chrome-error://chromewebdata/"

    def is_refused() -> bool:
        page.wait_for_timeout(50)  # only in its calls does Playwright take note of what frames do
        return [frame.url for frame in page.frames[1:]] == [error]

    eventually(is_refused, "a frame without the dashboard")
    page.close()


def test_a_listed_page_can_frame_the_dashboard(scene: Scene) -> None:
    page = scene.open(f"http://intranet.example:{scene.site_port}/framed=stats.example:{scene.port}")
    page.frame_locator("iframe").locator('.strip[data-standing="live"]').wait_for()
    page.close()


def test_neither_browser_nor_dashboard_reaches_for_another_host(scene: Scene) -> None:
    for name, path, shown in (
        ("127.0.0.1", "/", ".live-plot"),
        ("stats.example", "/explore", ".live-plot"),
        ("localhost", "/operations", ".strip"),
    ):
        page = scene.open(f"http://{name}:{scene.port}{path}")
        page.wait_for_selector(shown)
        page.close()

    async def foreign() -> list[int]:
        """What Streamlit used to compare with this machine's public address."""
        answers = []
        own = f"127.0.0.1:{scene.port}"
        for origin in ("http://evil.example", "null", f"http://{own}", f"https://{own}", "http://127.0.0.1"):
            try:
                async with connect(
                    f"ws://{own}/_stcore/stream", additional_headers={"Origin": origin}, open_timeout=60
                ):
                    answers.append(101)
            except InvalidStatus as refused:
                answers.append(refused.response.status_code)
        return answers

    assert run(foreign()) == [403, 403, 101, 101, 403]  # a proxy may have ended TLS on that port
    assert OUTSIDE not in scene.log.read_text()


def run(work: Any) -> Any:
    """Run in a thread, because this one runs the browser's event loop."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return found[0]


def test_too_many_sockets_leave_a_page_that_explains_it_and_then_a_place(scene: Scene, long: bool) -> None:
    sockets = LONG_SOCKETS if long else SOCKETS
    half_open = [socket.create_connection(("127.0.0.1", scene.port)) for _ in range(sockets // 2)]
    heartbeat = BackMsg(app_heartbeat=True).SerializeToString()
    closing = threading.Event()
    refused: list[int] = []
    opened: list[ClientConnection] = []

    async def hold() -> None:
        for _ in range(sockets // 2):
            try:
                one = await connect(f"ws://127.0.0.1:{scene.port}/_stcore/stream", open_timeout=60, ping_interval=None)
                await one.send(heartbeat)
                opened.append(one)
            except InvalidStatus as answer:
                refused.append(answer.response.status_code)
        while not closing.is_set():
            await asyncio.sleep(0.05)
        await asyncio.gather(*(one.close() for one in opened))

    holding = threading.Thread(target=asyncio.run, args=(hold(),))
    holding.start()
    try:
        eventually(lambda: len(opened) + len(refused) == sockets // 2, "answers to all handshakes", 120)
        assert (len(opened), set(refused)) == (VIEWERS, {503})
        page = scene.browser.new_page()
        page.set_default_timeout(PAGE_MS)
        answer = page.goto(scene.dashboard.url)
        assert answer is not None
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert "The dashboard is full" in page.inner_text("body")
        assert "DASHBOARD_VIEWERS" in page.inner_text("body")
        files = len(list(Path(f"/proc/{scene.dashboard.process.pid}/fd").iterdir()))
        assert files < 4 * VIEWERS + 128 + 3 * 128 + 128
    finally:
        closing.set()
        holding.join()
        for one in half_open:
            one.close()
    page.wait_for_selector(".strip")  # it has reloaded itself
    page.close()


def test_a_message_that_is_too_large_ends_its_socket_alone(scene: Scene) -> None:
    async def send() -> int | None:
        async with connect(f"ws://127.0.0.1:{scene.port}/_stcore/stream", open_timeout=60) as one:
            try:
                await one.send(bytes(300 * 1024))
                while True:
                    await one.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None

    assert run(send()) == 1009
    scene.open(scene.dashboard.url).close()


def test_the_browser_asked_no_other_host(scene: Scene) -> None:
    """The last test: it closes the browser, which then completes its log."""
    scene.browser.close()
    events = json.loads(scene.net_log.read_text())["events"]
    # Chromium's own requests, for updates and the like, come from no page.
    by_pages = [event["params"] for event in events if event.get("params", {}).get("initiator", "").startswith("http")]
    hosts = {urlsplit(request["url"]).hostname or "" for request in by_pages if "url" in request}
    assert {"127.0.0.1", "stats.example", "localhost"} <= hosts
    assert {host for host in hosts if not host.endswith(".example")} == {"127.0.0.1", "localhost"}
