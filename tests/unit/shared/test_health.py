"""Health: failing parts, and the endpoint."""

import json
import urllib.error
import urllib.request

import pytest

from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from tests.support.servers.server_process import free_port


def asked(port: int, path: str = "/health") -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}") if path != "/other" else {}


def test_endpoint_reports_failing_parts_and_their_recovery() -> None:
    health = Health("enrich")
    port = free_port()
    with health_endpoint(health, port):
        assert asked(port) == (200, {"service": "enrich", "status": "healthy", "failures": {}})
        health.failing("redis", "away")
        health.failing("log", "slow")
        health.working("log")
        assert asked(port) == (503, {"service": "enrich", "status": "unhealthy", "failures": {"redis": "away"}})
        assert not health.is_working("redis")
        health.working("redis")
        assert asked(port)[0] == 200
        assert asked(port, "/other")[0] == 404


def test_degraded_part_works() -> None:
    health = Health("enrich")
    port = free_port()
    with health_endpoint(health, port):
        health.degraded("input", "half of it is bad")
        assert asked(port) == (
            200,
            {"service": "enrich", "status": "degraded", "failures": {"input": "half of it is bad"}},
        )
        assert health.is_working("input")
        health.failing("redis", "away")
        assert asked(port)[1]["status"] == "unhealthy"
        health.degraded("redis", "slow")
        assert asked(port)[1]["status"] == "degraded"
        health.working("redis")
        health.working("input")
        assert asked(port)[1]["status"] == "healthy"


@pytest.mark.parametrize(
    ("part", "reason"),
    [("sender", "a publish has not ended"), ("log", "the broker is away"), ("state", "no space left on device")],
)
def test_trouble_turns_readiness_off_and_never_liveness(part: str, reason: str) -> None:
    health, port = Health("aggregate"), free_port()
    with health_endpoint(health, port, metrics=lambda: b"clickpulse_ready 1\n"):
        assert (asked(port, "/readyz")[0], asked(port, "/livez")[0]) == (200, 200)
        health.failing(part, reason)
        assert (asked(port, "/readyz")[0], asked(port, "/livez")[0], asked(port)[0]) == (503, 200, 503)
        health.degraded(part, reason)
        assert asked(port, "/readyz") == (
            200,
            {"service": "aggregate", "status": "degraded", "failures": {part: reason}},
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert answer.read() == b"clickpulse_ready 1\n"


def test_port_0_serves_nothing() -> None:
    with health_endpoint(Health("enrich"), 0):
        pass
