"""Scripts, styles and shapes: each compressed once for all viewers, and kept by browsers.

Streamlit leaves compression to a proxy: it sends 2.2 MB of its own scripts as they are.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.dashboard.components import board, picks, plot, strip, wall_button
from services.dashboard.components.plot import PLOTLY_ADDRESS, PLOTLY_FILE, WORLD_ADDRESS, WORLD_FILE
from services.dashboard.components.script import Script
from services.dashboard.kit.theme import STYLE_FILE
from services.dashboard.web.page_document import STYLE_ADDRESS

_STREAMLIT: Final = Path(streamlit.__file__).parent / "static"
_STREAMLIT_FOLDERS: Final = ("static/js", "static/css")  # what else it has, fonts and pictures, is compressed already
_MEDIA_TYPES: Final[Mapping[str, str]] = {".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
_KEPT: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",  # the address contains the version or a checksum
    "Vary": "Accept-Encoding",
}


class Assets:
    """ASGI middleware that answers requests of such files. `base_path` ends with a slash."""

    def __init__(self, app: ASGIApp, *, base_path: str = "/") -> None:
        self._app = app
        self._handlers = {base_path + path: _handler(content) for path, content in _files()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
        else:
            response = await run_in_threadpool(handler, Request(scope))
            await response(scope, receive, send)


def _files() -> Iterable[tuple[str, Path | Script]]:
    for script in (board.SCRIPT, *picks.SCRIPTS, plot.SCRIPT, strip.SCRIPT, wall_button.SCRIPT):
        yield script.address, script
    yield PLOTLY_ADDRESS, PLOTLY_FILE
    yield WORLD_ADDRESS, WORLD_FILE
    yield STYLE_ADDRESS, STYLE_FILE
    for folder in _STREAMLIT_FOLDERS:
        for file in (_STREAMLIT / folder).iterdir():
            if file.suffix in _MEDIA_TYPES:
                yield f"{folder}/{file.name}", file


def _handler(content: Path | Script) -> Callable[[Request], Response]:
    media_type = _MEDIA_TYPES[content.suffix if isinstance(content, Path) else ".js"]

    @cache
    def compressed() -> bytes:
        plain = content.read_bytes() if isinstance(content, Path) else content.text.encode()
        return gzip.compress(plain, compresslevel=6)

    def answer(request: Request) -> Response:
        if "gzip" not in request.headers.get("accept-encoding", ""):
            if isinstance(content, Script):
                return Response(content.text, media_type=media_type, headers=_KEPT)
            return FileResponse(content, media_type=media_type, headers=_KEPT)  # as fast as the client reads
        return Response(compressed(), media_type=media_type, headers={**_KEPT, "Content-Encoding": "gzip"})

    return answer
