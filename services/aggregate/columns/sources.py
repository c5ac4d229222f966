"""Traffic sources: the site whose link led to a page."""

import re
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

DIRECT: Final = "Direct"
INTERNAL: Final = "Internal"
_suffixes: Final = PublicSuffixList()
_READ_CHARACTERS: Final = 1024  # the host comes first; what follows can be long and costly to parse
_MAX_HOST: Final = 253  # RFC 1035
_MAX_LABEL: Final = 63  # RFC 1035; Python's IDNA codec takes seconds for longer ones
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


class Site(NamedTuple):
    """Where a URL leads: a host, empty for a path on the same host."""

    host: str
    is_web: bool
    """Whether the host is a domain or address; an app's URL has its id there."""


def source_of(referrer: object, url: object) -> str:
    """The traffic source of an event with these fields.

    >>> source_of("https://news.google.co.uk/articles", "https://shop.example/")
    'google.co.uk'
    """
    return source_between(site_of(referrer), site_of(url))


def source_between(referrer: Site | None, page: Site | None) -> str:
    """The registrable domain of a referrer: the part below a suffix of https://publicsuffix.org.

    Direct without a referrer, Internal when it has the host of the page, with or without `www.`. A host without a
    registrable domain, such as an IP address or the id of an app, is its own source.
    """
    if referrer is None:
        return DIRECT
    if not referrer.host or (page is not None and referrer.host.removeprefix("www.") == page.host.removeprefix("www.")):
        return INTERNAL
    if not referrer.is_web or _is_address(referrer.host):
        return referrer.host
    return _suffixes.privatesuffix(referrer.host) or referrer.host


def site_of(url: object) -> Site | None:
    """Where a URL leads; None for text that names no site."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url[:_READ_CHARACTERS])
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    if not host:
        return Site("", is_web=True) if parts.path.startswith("/") and not parts.scheme and not parts.netloc else None
    ascii_host = _in_ascii(host)
    if ascii_host is None:
        return None
    return Site(ascii_host, is_web=parts.scheme in ("", "http", "https"))


def _in_ascii(host: str) -> str | None:
    """One spelling for a host; None for text that cannot be one."""
    if len(host) > _MAX_HOST or max(map(len, host.split("."))) > _MAX_LABEL:
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if _HOST.fullmatch(host) or _is_address(host) else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
