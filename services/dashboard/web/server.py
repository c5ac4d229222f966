"""The web application that `clickpulse dashboard` runs: Streamlit plus routes for files and page documents."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from streamlit.starlette import App

from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in.gate.documents import SIGN_IN, SIGN_OUT
from services.dashboard.sign_in.setup import read_sign_in
from services.dashboard.web.assets import Assets
from services.dashboard.web.guard import Guard
from services.dashboard.web.hosts import Hosts, hosts_of, read_listed, read_name
from services.dashboard.web.message_cache import MessageCache
from services.dashboard.web.page_document import PATHS, page_document
from services.dashboard.web.viewer_limit import ViewerLimit
from shared.status.gauges import Gauges


def _document(_request: Request) -> Response:
    return Response(page_document(), media_type="text/html", headers={"Cache-Control": "no-cache"})


def _address(path: str) -> str:
    """A path below Streamlit's base path, if one is set (`server.baseUrlPath`)."""
    base: str = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


def application(settings: DashboardSettings, viewers: int, gauges: Gauges) -> ASGIApp:
    """Streamlit with our routes, behind the middlewares, for so many viewers. Streamlit's options must be loaded."""
    base_path, sign_in = _address(""), read_sign_in(settings)
    guard = Middleware(
        Guard,
        hosts=names_of(settings),
        base_path=base_path,
        posts=[base_path + path for path in (SIGN_IN, SIGN_OUT)] if sign_in else [],
        is_framed=bool(settings.dashboard_frame_ancestors),
    )
    streamlit = App(
        Path(__file__).parents[1] / "app.py",
        secrets=sign_in.secrets if sign_in else None,
        routes=[
            *(Route(_address(path), _document) for path in PATHS),
        ],
    )
    return behind(
        [  # the first sees a request first
            guard,
            *([sign_in.gate(base_path)] if sign_in else []),
            Middleware(ViewerLimit, viewers=viewers, gauges=gauges),
            Middleware(MessageCache),
            Middleware(Assets, base_path=base_path),  # Streamlit accepts no route for its own scripts
        ],
        streamlit,
    )


def behind(middlewares: Sequence[Middleware], app: ASGIApp) -> ASGIApp:
    """The application behind the middlewares, which also see what Starlette answers by itself."""
    for cls, args, kwargs in reversed(middlewares):
        app = cls(app, *args, **kwargs)
    return app


def names_of(settings: DashboardSettings) -> Hosts:
    """The names by which browsers may reach the dashboard."""
    public = read_name(urlsplit(settings.public_url or "").hostname or "")
    listed = [*read_listed(settings.dashboard_hosts), *([public] if public else [])]
    return hosts_of(settings.dashboard_address, listed)
