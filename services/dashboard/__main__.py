"""`clickpulse dashboard`: serve the dashboard until a signal stops it."""

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Any, Final

from services.dashboard.kit import theme
from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in.access import HEADER, USER_KEY
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import check_server, redis_address
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.runtime.settings_help import service_parser
from shared.status.exposition import exposition
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from shared.status.reporter import reporting

logger = get_logger(__name__)

SERVICE: Final = "dashboard"
_DESCRIPTION: Final = "Serve the dashboard. It reads from Redis and history, and starts without any other service."
_EXIT_CODES: Final = "Exit codes: 0 stopped, 1 cannot listen, 2 wrong option or setting."
_FIXED_OPTIONS: Final[Mapping[str, Any]] = {
    "server.headless": True,
    "server.showEmailPrompt": False,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.enableAgentApi": False,
    "runner.magicEnabled": "false",  # it would show every text that stands alone in the app
    "runner.postScriptGC": False,  # a full collection after every refresh takes six sevenths of the CPU
    "server.maxUploadSize": 1,  # MB; no page accepts a file
    "server.maxWidgetStateSize": 1,  # MB
    "browser.gatherUsageStats": False,
    "client.allowedOrigins": [],  # pages that embed the dashboard do not control it; by default some of Streamlit's do
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # the log has them
    "client.showErrorLinks": "false",
    "global.developmentMode": False,
    "global.minCachedMessageSize": 500,  # bytes; see web/message_cache.py
    "logger.enableRich": False,  # it prints exceptions with their messages, which may quote an event
}


def main(argv: Sequence[str]) -> int:
    """Run the dashboard; returns the exit code: 0 stopped, 1 cannot listen, 2 wrong option or setting."""
    service_parser(SERVICE, _DESCRIPTION, DashboardSettings, _EXIT_CODES).parse_args(argv)
    try:
        settings = read_settings(DashboardSettings)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return CONFIGURATION_ERROR_EXIT_CODE
    configure_logs(SERVICE, settings.log_format, settings.log_level)
    options = _sign_in_options(settings)
    if options is None:
        return CONFIGURATION_ERROR_EXIT_CODE
    complaint = _cannot_listen(settings.dashboard_address, settings.dashboard_port)
    if complaint is not None:
        logger.error("cannot listen", reason=complaint)
        return 1
    check_server(settings.redis_url)
    logger.info(
        "starting",
        url=f"http://{_in_url(settings.dashboard_address)}:{settings.dashboard_port}",
        redis=redis_address(settings.redis_url),
        redis_prefix=settings.redis_prefix,
        refresh_seconds=settings.refresh_seconds,
        sign_in=settings.dashboard_auth or "none",
    )
    health, gauges = Health(SERVICE), Gauges()
    metrics = exposition(SERVICE, health, gauges)
    with ExitStack() as stack:
        stack.enter_context(health_endpoint(health, settings.health_port, settings.health_address, metrics))
        stack.enter_context(reporting(SERVICE, settings, health, gauges, degrades=True))
        _serve(settings, options, gauges)
    logger.info("stopped")
    return 0


def _serve(settings: DashboardSettings, sign_in_options: Mapping[str, Any], gauges: Gauges) -> None:
    """Block in the web server until SIGTERM or SIGINT."""
    # Imported here because it takes a second, which `--help` and configuration errors need not wait for.
    from services.dashboard.web.serving import serve

    options = {
        **_FIXED_OPTIONS,
        **theme.streamlit_options(),
        **sign_in_options,
        "server.address": settings.dashboard_address,
        "server.port": settings.dashboard_port,
        "server.baseUrlPath": settings.streamlit_server_base_url_path,
        "logger.level": settings.log_level.lower(),
    }
    # uvicorn stops on a signal and then raises it again for the previous handler, which ends the process with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with suppress(_Stopped):
        serve(settings, options, gauges)


def _sign_in_options(settings: DashboardSettings) -> dict[str, Any] | None:
    """Streamlit's options for signing in; None if a file is wrong, which it says."""
    if not settings.has_sign_in:
        return {}
    # Imported here because it imports Streamlit, which takes a second.
    from services.dashboard.sign_in.setup import read_sign_in

    try:
        sign_in = read_sign_in(settings)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return None
    assert sign_in is not None, "the settings ask for it"
    if sign_in.by_provider is not None:
        # Streamlit takes secrets from the environment only. This one also signs the way to the provider and back.
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each request to the provider
        os.environ["STREAMLIT_SERVER_COOKIE_SECRET"] = sign_in.by_provider.cookie_secret
    return {"server.trustedUserHeaders": {HEADER: USER_KEY}}


class _Stopped(BaseException):
    """A signal arrived. A BaseException, so that no `except Exception` catches it."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def _cannot_listen(address: str, port: int) -> str | None:
    try:
        family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} on {address} is in use; stop what listens there or set DASHBOARD_PORT to a free port"
        return f"DASHBOARD_ADDRESS {address!r}, port {port}: {error.strerror or error}"
    return None


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
