"""The web server's application: Streamlit with the app, its larger files and the pages' documents beside it.

`clickpulse dashboard` runs it.

Streamlit would send plotly.js (4.8 MB) to each page that opens, compressed anew each time (half a second of CPU) and
without a word on caching. Here a file is compressed once and kept by the browser.
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
from services.dashboard.web.page_document import PATHS, page_document

_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",  # an address has the version or a checksum in it
    "Vary": "Accept-Encoding",
}


def _asset(file: Path, media_type: str) -> Callable[[Request], Response]:
    """What answers requests for a file of text. Starlette calls it in a thread of its own."""

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
    """A path under the one that Streamlit was told to serve everything under, if any (`server.baseUrlPath`)."""
    base: str = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


_PLOTLY: Final = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

app = App(
    Path(__file__).parents[1] / "app.py",
    routes=[
        Route(_address(PLOTLY_ADDRESS), _asset(_PLOTLY, "text/javascript")),
        Route(_address(WORLD_ADDRESS), _asset(WORLD_FILE, "application/json")),
        *(Route(_address(path), _document) for path in PATHS),
    ],
)
