"""`clickpulse health`: queries the health endpoint of the service on this machine, for container health checks."""

import argparse
import http.client
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

from shared.runtime.configuration import ConfigurationError

_TIMEOUT_SECONDS: Final = 3.0


def main(argv: Sequence[str]) -> int:
    """Print the report of `GET /health`. Returns 0 if healthy or degraded, 1 if failing or unreachable."""
    parser = argparse.ArgumentParser(
        prog="clickpulse health",
        description="Query /health on $HEALTH_ADDRESS, port $HEALTH_PORT. Exits with 0 if the service is healthy or "
        "degraded, with 1 if it is failing or does not answer.",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="ask the web server instead, on $DASHBOARD_ADDRESS, port $DASHBOARD_PORT, below "
        "$STREAMLIT_SERVER_BASE_URL_PATH",
    )
    is_dashboard: bool = parser.parse_args(argv).dashboard
    service = "DASHBOARD" if is_dashboard else "HEALTH"
    path = _web_path() if is_dashboard else "/health"
    connection = http.client.HTTPConnection(
        _address(f"{service}_ADDRESS"), _port(f"{service}_PORT"), timeout=_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        report = response.read().decode("utf-8", "replace")
        healthy = response.status == http.client.OK
    except (OSError, http.client.HTTPException) as error:
        report = json.dumps({"status": "unreachable", "error": str(error)})
        healthy = False
    finally:
        connection.close()
    sys.stdout.write(report + "\n")
    return 0 if healthy else 1


def _web_path() -> str:
    base = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
    return f"/{base}/_stcore/health" if base else "/_stcore/health"


def _address(variable: str) -> str:
    """The address that the service listens on; one that stands for every interface is reached by loopback."""
    address = os.environ.get(variable, "")
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - not listened on


def _port(variable: str) -> int:
    port = os.environ.get(variable, "")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
        raise ConfigurationError(f"{variable}: expected the port of the service, 1 to 65535, got {port!r}")
    return int(port)
