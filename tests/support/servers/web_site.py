"""A web site for tests, and a collector that remembers what pages send to it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final

from services.collect.script.content import CONTENT, CONTENT_TYPE
from tests.support.polling import eventually

EVENTS: Final = "/v1/events"


@dataclass(frozen=True, slots=True)
class Page:
    """What a path answers."""

    html: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """A request. Names of headers are in lower case."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of its body."""
        events = json.loads(self.body)
        assert isinstance(events, list)
        return events


class WebSite:
    """One server: every name of a host and every path that ends with `/s.js` or `/v1/events` works."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, Page] = {}
        self.requests: list[Received] = []
        self.status = 202
        """What the collector answers."""
        self.answering = Event()
        """Cleared, it does not answer, and `/signal` neither."""
        self.answering.set()

    def url(self, path: str = "/", host: str = "shop.example") -> str:
        """The address of a page of this server."""
        return f"http://{host}:{self.port}{path}"

    def script(self, attributes: str = "", path: str = "/s.js") -> str:
        """The tag that a page has in its head."""
        return f'<script defer {attributes} src="{self.url(path, "collect.example")}"></script>'

    def put(self, path: str, body: str = "", head: str | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Put a page there, with the script in its head unless another head is given; its address."""
        head = self.script() if head is None else head
        html = f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>{head}<body>{body}"
        self.pages[path] = Page(html, headers or {})
        return self.url(path)

    def beacons(self) -> list[Received]:
        """What was sent to the collector."""
        return [request for request in list(self.requests) if request.method == "POST"]

    def beacon(self, index: int = 0) -> Received:
        """Wait for what was sent as the first, or a later one."""
        return eventually(lambda: next(iter(self.beacons()[index:]), None), "a beacon")

    def first_events(self, number: int) -> list[dict[str, Any]]:
        """Wait for so many events."""
        eventually(lambda: len(self.events()) >= number, f"{number} events")
        return self.events()[:number]

    def events(self) -> list[dict[str, Any]]:
        """The events that were sent to the collector."""
        return [event for beacon in self.beacons() for event in beacon.events]

    def event(self, event_type: str) -> dict[str, Any]:
        """Wait for an event of the type."""
        return eventually(
            lambda: next((event for event in self.events() if event.get("eventType") == event_type), None),
            f"event {event_type}",
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        site = self._remember(b"")
        path = self.path.partition("?")[0]
        if path.endswith("/s.js"):
            self._answer(200, CONTENT, {"Content-Type": CONTENT_TYPE, "Access-Control-Allow-Origin": "*"})
        elif path == "/signal":
            site.answering.wait()
            self._answer(200, b"")
        elif (page := site.pages.get(path)) is not None:
            self._answer(200, page.html.encode(), {"Content-Type": "text/html", **page.headers})
        else:
            self._answer(404, b"")

    def do_POST(self) -> None:
        site = self._remember(self.rfile.read(int(self.headers["Content-Length"])))
        site.answering.wait()
        self._answer(site.status if self.path.endswith(EVENTS) else 404, b"")

    def _remember(self, body: bytes) -> WebSite:
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers["host"].partition(":")[0]
        self.server.site.requests.append(Received(self.command, host, self.path, headers, body))
        return self.server.site

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = WebSite(self.server_port)

    def handle_error(self, *_: object) -> None: ...  # browsers close connections when they like


@contextmanager
def running_web_site() -> Iterator[WebSite]:
    """Serve on a free loopback port while the block runs."""
    with _Server() as server:
        Thread(target=server.serve_forever, name="web-site", daemon=True).start()
        try:
            yield server.site
        finally:
            server.site.answering.set()
            server.shutdown()
