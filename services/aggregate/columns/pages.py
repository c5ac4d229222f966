"""Pages: the path of a URL, without query and fragment, so that one page is one name."""

from typing import Final
from urllib.parse import urlsplit

LONGEST_PAGE_BYTES: Final = 512


def page_of(url: str) -> str | None:
    """The path of a URL or of a URL reference, at most 512 bytes of UTF-8; None for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = parts.path or ("/" if parts.netloc or parts.query else "")
    encoded = path.encode("utf-8", "replace")
    if len(encoded) > LONGEST_PAGE_BYTES:
        path = encoded[:LONGEST_PAGE_BYTES].decode("utf-8", "ignore")
    return path or None
