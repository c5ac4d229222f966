"""Health: what a service knows of itself, and the endpoint that shows it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from shared.status.replica_status import Trouble, health_status


class Health:
    """The standing of a service's parts. A part is healthy until it is said to fail, and again once it is said to work.

    A degraded part still does its work, but somebody should look: nothing is gained by a restart.

    Safe to use from any thread.
    """

    def __init__(self, service: str, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._service = service
        self._now_ms = now_ms
        self._troubles: dict[str, Trouble] = {}
        self._lock = Lock()

    def failing(self, part: str, reason: str) -> None:
        """Say that a part (`redis`, `log`, `state`, …) fails, and why."""
        self._note(part, reason, fails=True)

    def degraded(self, part: str, reason: str) -> None:
        """Say that a part works, but not as well as it should, and why."""
        self._note(part, reason, fails=False)

    def working(self, part: str) -> None:
        """Say that a part works."""
        with self._lock:
            self._troubles.pop(part, None)

    def is_working(self, part: str) -> bool:
        """Whether a part was not said to fail, or was said to work since."""
        with self._lock:
            return part not in self._troubles or not self._troubles[part].fails

    def troubles(self) -> dict[str, Trouble]:
        """The parts that fail or are degraded, each with the beginning of that."""
        with self._lock:
            return dict(self._troubles)

    def report(self) -> dict[str, object]:
        """`{"service", "status": "healthy" | "degraded" | "unhealthy", "failures": {part: reason}}`."""
        troubles = self.troubles()
        return {
            "service": self._service,
            "status": health_status(troubles),
            "failures": {part: trouble.reason for part, trouble in troubles.items()},
        }

    def _note(self, part: str, reason: str, *, fails: bool) -> None:
        with self._lock:
            known = self._troubles.get(part)
            since_ms = known.since_ms if known is not None and known.fails == fails else self._now_ms()
            self._troubles[part] = Trouble(reason, since_ms, fails)


@contextmanager
def health_endpoint(health: Health, port: int) -> Iterator[None]:
    """Serve `GET /health` on `port` (0: not at all) while the block runs, as JSON: 503 when unhealthy, else 200.

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
                self.send_response(503 if report["status"] == "unhealthy" else 200)
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
