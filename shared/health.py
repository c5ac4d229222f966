"""Health: what a service knows of itself, and the endpoint that shows it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


class Health:
    """The standing of a service's parts. A part is healthy until it is said to fail, and again once it is said to work.

    Safe to use from any thread.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._failures: dict[str, str] = {}
        self._lock = Lock()

    def failing(self, part: str, reason: str) -> None:
        """Say that a part (`redis`, `log`, `state`, …) fails, and why."""
        with self._lock:
            self._failures[part] = reason

    def working(self, part: str) -> None:
        """Say that a part works."""
        with self._lock:
            self._failures.pop(part, None)

    def is_working(self, part: str) -> bool:
        """Whether a part was not said to fail, or was said to work since."""
        with self._lock:
            return part not in self._failures

    def report(self) -> dict[str, object]:
        """`{"service", "status": "healthy" | "unhealthy", "failures": {part: reason}}`."""
        with self._lock:
            failures = dict(self._failures)
        return {"service": self._service, "status": "unhealthy" if failures else "healthy", "failures": failures}


@contextmanager
def health_endpoint(health: Health, port: int) -> Iterator[None]:
    """Serve `GET /health` on `port` (0: not at all) while the block runs: 200 when healthy, 503 when not, as JSON.

    Raises OSError when the port is taken.
    """
    if port == 0:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                self.send_error(404)
                return
            report = health.report()
            body = json.dumps(report).encode()
            with suppress(ConnectionError):  # the probe lost patience and hung up
                self.send_response(200 if report["status"] == "healthy" else 503)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing: a probe every few seconds is no news."""

    server = ThreadingHTTPServer(("", port), Handler)
    thread = Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
