"""The HTML document that the address of each page answers with.

It is Streamlit's own, the same at every address. Its script then asks for its server beside that address, and only then
above it, so that a page that was opened directly begins with two answers of 404 on the browser's console
(streamlit/streamlit#7074). The script believes what `window.__streamlit` says, and so it is told here: the server is in
the folder of the address, as are the scripts that the document loads, whatever path is in front.
"""

from pathlib import Path
from typing import Final

import streamlit

EXPLORE: Final = "explore"
OPERATIONS: Final = "operations"
PATHS: Final = ("", EXPLORE, OPERATIONS)
"""Of all pages, the live page first. None has a slash in it, so all are in the server's folder."""

_WHERE: Final = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }</script>'
_INDEX: Final = Path(streamlit.__file__).parent / "static" / "index.html"


def page_document() -> str:
    """The document of the installed Streamlit that knows where its server is."""
    return _INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>\n    {_WHERE}", 1)
