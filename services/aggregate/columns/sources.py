"""Traffic sources: the site whose link led to a page."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

DIRECT: Final = "Direct"
INTERNAL: Final = "Internal"
_suffixes: Final = PublicSuffixList()


def source_of(referrer: object, url: object) -> str:
    """The registrable domain of a referrer: the part below a suffix of https://publicsuffix.org.

    Direct without a referrer, Internal when it has the host of `url`, with or without `www.`. A host without a
    registrable domain, such as an IP address or the id of an app, is its own source.

    >>> source_of("https://news.google.co.uk/articles", "https://shop.example/")
    'google.co.uk'
    """
    host = _host_of(referrer)
    if host is None:
        return DIRECT
    if not host or host == _host_of(url):
        return INTERNAL
    is_site = str(referrer).lower().startswith(("http:", "https:", "//")) and not _is_address(host)
    return (_suffixes.privatesuffix(host) if is_site else None) or host


def _host_of(url: object) -> str | None:
    """The host of a URL without `www.`; empty for a path on the same host, None for anything else."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").removeprefix("www.")
    except ValueError:
        return None
    if not host:
        return "" if parts.path.startswith("/") and not parts.scheme else None
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()  # one name for both spellings of an international domain
    except UnicodeError:
        return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
