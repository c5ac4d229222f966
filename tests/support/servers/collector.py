"""The collector as a process, and a client that sends it one request."""

import http.client
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.servers.server_process import ServerProcess, free_port


class Reply(NamedTuple):
    """What the collector answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Collector(ServerProcess):
    """A collector that a test may kill and start again, on the same port."""

    def __init__(self, folder: Path, redis_url: str, **options: str) -> None:
        """`options` are further settings."""
        super().__init__(folder / "collect.log")
        self.log = folder / "collect.log"
        self.port, self.health_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {"REDIS_URL": redis_url, "COLLECT_PORT": str(self.port), "HEALTH_PORT": str(self.health_port)}
        self._environment = os.environ | {"LOG_FORMAT": "json"} | own | options

    def start(self) -> None:
        """Start it and wait until it accepts events."""
        self.run([sys.executable, "-m", "services.cli", "collect"], self.is_ready, self._environment)

    def start_unready(self) -> None:
        """Start it and wait until it answers, as it does without its event log."""
        self.run([sys.executable, "-m", "services.cli", "collect"], self._answers, self._environment)

    def ask_health(self, path: str) -> Reply:
        """Get a path of the health endpoint."""
        return self._ask(self.health_port, "GET", path, b"", {})

    def _answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.send(method="GET", path="/").status == 404
        return False

    def is_ready(self) -> bool:
        """Whether its health is good."""
        with suppress(OSError, http.client.HTTPException):
            return self.ask_health("/readyz").status == 200
        return False

    def health(self) -> Any:
        """Its health report."""
        return self.ask_health("/health").json()

    def collected(self) -> dict[str, int]:
        """What became of the events that it received, from `/metrics`."""
        found = {}
        for line in self.ask_health("/metrics").body.decode().splitlines():
            if line.startswith("clickpulse_collected_events_total{"):
                outcome = line.partition('outcome="')[2].partition('"')[0]
                found[outcome] = int(float(line.rpartition(" ")[2]))
        return {outcome: count for outcome, count in found.items() if count}

    def send(
        self,
        body: object = b"",
        path: str = "/v1/events",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; a body that is no bytes goes as JSON. Raises OSError and HTTPException."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask(self.port, method, path, content, headers or {})

    def _ask(self, port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            connection.request(method, path, body or None, dict(headers))
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, names, response.read())
        finally:
            connection.close()


@contextmanager
def running_collector(folder: Path, redis_url: str, **options: str) -> Iterator[Collector]:
    """A collector while the block runs."""
    collector = Collector(folder, redis_url, **options)
    try:
        collector.start()
        yield collector
    finally:
        collector.kill()
