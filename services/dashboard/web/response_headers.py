"""Headers of every response that limit what a browser does with it.

`unsafe-inline` styles: Streamlit writes its styles, and the pages theirs, into the document. `blob:` scripts: Streamlit
loads a component's script from memory, and `background.js` its timer. No script is evaluated from text, and inline
scripts are listed by checksum.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Final

from services.dashboard.web.hosts import read_site

NOBODY: Final = "'none'"
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_DENIED: Final = (
    "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "hid",
    "identity-credentials-get", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "publickey-credentials-create", "publickey-credentials-get", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip


def response_headers(documents: Iterable[str], frame_ancestors: str) -> list[tuple[str, str]]:
    """The headers, for these HTML documents with their inline scripts."""
    headers = {
        "Content-Security-Policy": _policy(documents, frame_ancestors),
        "Cross-Origin-Resource-Policy": "same-origin",
        # Wall mode keeps its screen awake.
        "Permissions-Policy": ", ".join([*(f"{feature}=()" for feature in _DENIED), "screen-wake-lock=(self)"]),
        # Not `no-referrer`, with which browsers send the Origin of a form as "null".
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return list(headers.items())


def _policy(documents: Iterable[str], frame_ancestors: str) -> str:
    scripts = {_checksum(script) for document in documents for script in _INLINE_SCRIPT.findall(document)}
    directives = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", "blob:", *sorted(scripts)]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": frame_ancestors,
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _checksum(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def read_ancestors(text: str) -> str:
    """Parse the origins that may embed a page, separated by commas, as the policy lists them. Raises ValueError."""
    return " ".join(_ancestor(part.strip()) for part in text.split(",") if part.strip()) or NOBODY


def _ancestor(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or read_site(rest.removeprefix("*.")) is None:
        raise ValueError(f"expected origins such as https://intranet.shop.example, got {text!r}")
    return f"{scheme}://{rest.lower()}"
