"""Pages: the path of a URL, without query and fragment, so that one page is one name."""

from typing import Final
from urllib.parse import urlsplit

PAGE_BYTES: Final = 512
"""The most bytes of a page's name in UTF-8; longer ones are shortened."""

_READ_CHARACTERS: Final = 4096  # a page is far shorter; a host of combining marks takes seconds to parse


def page_of(url: object) -> str | None:
    """The path of a URL or a URL reference; None for anything that is not a URL."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url[:_READ_CHARACTERS])
    except ValueError:
        return None
    return parts.path or ("/" if parts.netloc or parts.query else None)
