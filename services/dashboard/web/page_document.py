"""The HTML document that every page's address returns.

It is Streamlit's, the same at every address. Its script looks for the server below that address first and then above
it, so a page that is opened directly logs two 404s on the browser's console (streamlit/streamlit#7074). The script
honours `window.__streamlit`, so the document sets it: the server is in the folder of the address, like the scripts that
the document loads, under any base path.
"""

from pathlib import Path
from typing import Final
from zlib import crc32

import streamlit

from services.dashboard.kit import theme

EXPLORE: Final = "explore"
SALES: Final = "sales"
OPERATIONS: Final = "operations"
PATHS: Final = ("", EXPLORE, SALES, OPERATIONS)
"""The paths of all pages, the live page first. None has a slash, so all are in the server's folder."""

_WHERE: Final = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }</script>'
STYLE_ADDRESS: Final = f"assets/style-{crc32(theme.STYLE_FILE.read_bytes()):08x}.css"
_ROOT: Final = '<div id="root"></div>'
# After the head, where Streamlit puts its own styles, and before anything is drawn, so that nothing moves.
_STYLE: Final = f'<link rel="stylesheet" href="./{STYLE_ADDRESS}">'
_INDEX: Final = Path(streamlit.__file__).parent / "static" / "index.html"


def page_document() -> str:
    """The installed Streamlit's document, with the place of its server and the stylesheet that all pages share."""
    document = _INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>\n    {_WHERE}", 1)
    assert _ROOT in document
    return document.replace(_ROOT, f"{_STYLE}\n    {_ROOT}", 1)
