"""Pages: the path of a URL, without query and fragment, so that one page is one name."""

from urllib.parse import urlsplit


def page_of(url: object) -> str | None:
    """The path of a URL or a URL reference; None for anything that is not a URL."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.path or ("/" if parts.netloc or parts.query else None)
