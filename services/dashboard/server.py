"""The web server's application: Streamlit with the app, and its larger files beside it. `clickpulse dashboard` runs it.

Streamlit would send plotly.js (4.8 MB) to each page that opens, compressed anew each time (half a second of CPU) and
without a word on caching. Here a file is compressed once and kept by the browser.
"""

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import plotly
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.starlette import App

from services.dashboard.plot import PLOTLY_ADDRESS, WORLD_ADDRESS, WORLD_FILE

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


_PLOTLY: Final = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

app = App(
    Path(__file__).with_name("app.py"),
    routes=[
        Route(f"/{PLOTLY_ADDRESS}", _asset(_PLOTLY, "text/javascript")),
        Route(f"/{WORLD_ADDRESS}", _asset(WORLD_FILE, "application/json")),
    ],
)
