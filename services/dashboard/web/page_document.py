"""The HTML document that every page's address returns.

It is Streamlit's, the same at every address. Its script looks for the server below that address first and then above
it, so a page that is opened directly logs two 404s on the browser's console (streamlit/streamlit#7074). The script
honours `window.__streamlit`, so the document sets it: the server is in the folder of the address, like the scripts that
the document loads, under any base path.
"""

from pathlib import Path
from typing import Final

import streamlit

EXPLORE: Final = "explore"
OPERATIONS: Final = "operations"
PATHS: Final = ("", EXPLORE, OPERATIONS)
"""The paths of all pages, the live page first. None has a slash, so all are in the server's folder."""

_WHERE: Final = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }</script>'
_INDEX: Final = Path(streamlit.__file__).parent / "static" / "index.html"


def page_document() -> str:
    """The installed Streamlit's document, with the place of its server."""
    return _INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>\n    {_WHERE}", 1)
