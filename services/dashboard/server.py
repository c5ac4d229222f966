"""The web server's application: Streamlit with the app, and plotly.js beside it. `clickpulse dashboard` runs it.

Streamlit would send plotly.js (4.8 MB) to each page that opens, compressed anew each time (half a second of CPU) and
without a word on caching. Here it is compressed once and kept by the browser.
"""

import gzip
from functools import cache
from pathlib import Path
from typing import Final

import plotly
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.starlette import App

from services.dashboard.plot import PLOTLY_ADDRESS

_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",  # its address has the version in it
    "Vary": "Accept-Encoding",
}


def plotly_js(request: Request) -> Response:
    """plotly.js of the installed package. Starlette calls this in a thread of its own."""
    compressed = "gzip" in request.headers.get("accept-encoding", "")
    headers = {**_KEPT, "Content-Encoding": "gzip"} if compressed else _KEPT
    return Response(_compressed() if compressed else _plain(), media_type="text/javascript", headers=headers)


def _plain() -> bytes:
    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()


@cache
def _compressed() -> bytes:
    return gzip.compress(_plain(), compresslevel=6)


app = App(Path(__file__).with_name("app.py"), routes=[Route(f"/{PLOTLY_ADDRESS}", plotly_js)])
