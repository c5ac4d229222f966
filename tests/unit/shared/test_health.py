"""Health: failing parts, and the endpoint."""

import json
import urllib.error
import urllib.request

from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from tests.support.servers.server_process import free_port


def asked(port: int, path: str = "/health") -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}") if path == "/health" else {}


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


def test_port_0_serves_nothing() -> None:
    with health_endpoint(Health("enrich"), 0):
        pass
