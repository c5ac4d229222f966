"""Runs the web application in uvicorn until a signal stops it (edge)."""

import socket
from collections.abc import Mapping
from typing import Any, Final

import uvicorn
from streamlit import config
from streamlit.web import bootstrap

from services.dashboard.settings import DashboardSettings
from services.dashboard.web.connections import (
    HTTP_CONNECTIONS,
    BoundedConnection,
    WebSocketConnection,
    viewers_with_files,
)
from services.dashboard.web.page_document import page_document
from services.dashboard.web.response_headers import read_ancestors, response_headers
from shared.runtime.logs import get_logger
from shared.status.gauges import Gauges

logger = get_logger(__name__)

_LARGEST_MESSAGE_BYTES: Final = 256 * 1024
"""Of what a page sends: the state of its controls. It sends less than 10 KB unless hundreds of names are chosen."""

_PING_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5


def serve(settings: DashboardSettings, options: Mapping[str, Any], gauges: Gauges) -> None:
    """Block until SIGTERM or SIGINT, which uvicorn raises again once it has stopped."""
    load_options(options)
    # Imported now because Streamlit reads its options when it is imported and when the application is made.
    from services.dashboard.web.server import application

    viewers = viewers_with_files(settings.dashboard_viewers)
    if viewers < settings.dashboard_viewers:
        logger.warning("fewer viewers than DASHBOARD_VIEWERS: raise the limit of open files", viewers=viewers)
    config = uvicorn.Config(
        application(settings, viewers, gauges),
        http=BoundedConnection,
        limit_concurrency=viewers + HTTP_CONNECTIONS,
        ws=WebSocketConnection,
        ws_max_size=_LARGEST_MESSAGE_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        headers=response_headers([page_document()], read_ancestors(settings.dashboard_frame_ancestors)),
        server_header=False,
        log_config=None,
        log_level="error",  # otherwise whoever sends nonsense or opens sockets writes lines as he likes
        access_log=False,
    )
    with _listening(settings.dashboard_address, settings.dashboard_port, config.backlog) as listener:
        uvicorn.Server(config).run(sockets=[listener])


def load_options(options: Mapping[str, Any]) -> None:
    """Set Streamlit's options: these, and its defaults.

    Otherwise files of the user or of the current folder, which belong to other Streamlit apps, would change the rest.
    """
    config.get_config_files = _no_files
    bootstrap.load_config_options(dict(options))


def _no_files(file_name: str) -> list[str]:  # noqa: ARG001 - as Streamlit calls it
    return []


def _listening(address: str, port: int, backlog: int) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=backlog, dualstack_ipv6=address == "::")
