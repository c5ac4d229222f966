"""The web application that `clickpulse dashboard` runs: Streamlit plus routes for large files and page documents.

Streamlit would compress plotly.js (4.8 MB) for every page that opens (half a second of CPU) and send it without cache
headers. Here each file is compressed once, and browsers keep it.
"""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import plotly
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.starlette import App

from services.dashboard.components.plot import PLOTLY_ADDRESS, WORLD_ADDRESS, WORLD_FILE
from services.dashboard.settings import DashboardSettings
from services.dashboard.sign_in.setup import read_sign_in
from services.dashboard.web.page_document import PATHS, page_document
from shared.runtime.settings import read_settings

_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",  # the address contains the version or a checksum
    "Vary": "Accept-Encoding",
}


def _asset(file: Path, media_type: str) -> Callable[[Request], Response]:
    """The handler for requests of a text file. Starlette calls it in a worker thread."""

    @cache
    def compressed() -> bytes:
        return gzip.compress(file.read_bytes(), compresslevel=6)

    def answer(request: Request) -> Response:
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(file.read_bytes(), media_type=media_type, headers=_KEPT)
        return Response(compressed(), media_type=media_type, headers={**_KEPT, "Content-Encoding": "gzip"})

    return answer


def _document(_request: Request) -> Response:
    return Response(page_document(), media_type="text/html", headers={"Cache-Control": "no-cache"})


def _address(path: str) -> str:
    """A path below Streamlit's base path, if one is set (`server.baseUrlPath`)."""
    base: str = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


_sign_in: Final = read_sign_in(read_settings(DashboardSettings))

_PLOTLY: Final = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

app = App(
    Path(__file__).parents[1] / "app.py",
    secrets=_sign_in.secrets if _sign_in else None,
    middleware=[_sign_in.gate(_address(""))] if _sign_in else [],
    routes=[
        Route(_address(PLOTLY_ADDRESS), _asset(_PLOTLY, "text/javascript")),
        Route(_address(WORLD_ADDRESS), _asset(WORLD_FILE, "application/json")),
        *(Route(_address(path), _document) for path in PATHS),
    ],
)
