"""Traffic sources: the site whose link led to a page."""

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from shared.events.hosts import LONGEST_HOST, ascii_host, is_address

DIRECT: Final = "Direct"
INTERNAL: Final = "Internal"
SOURCE_BYTES: Final = LONGEST_HOST
"""The most bytes of a source's name; longer ones are shortened."""

_suffixes: Final = PublicSuffixList()
_READ_CHARACTERS: Final = 1024  # the host comes first; what follows can be long and costly to parse
_PLAIN: Final = re.compile(  # nearly all URLs, in a third of the time
    r"https?://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*)(?::[0-9]+)?(?:[/?#]|\Z)", re.ASCII
)


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
    if is_internal(referrer, page):
        return INTERNAL
    if not referrer.is_web or is_address(referrer.host):
        return referrer.host
    return _suffixes.privatesuffix(referrer.host) or referrer.host


def is_internal(referrer: Site, page: Site | None) -> bool:
    """Whether a referrer leads to the host of the page, with or without `www.`."""
    return not referrer.host or (
        page is not None and referrer.host.removeprefix("www.") == page.host.removeprefix("www.")
    )


def site_of(url: object) -> Site | None:
    """Where a URL leads; None for text that names no site."""
    if not isinstance(url, str):
        return None
    plain = _PLAIN.match(url)
    if plain is not None and len(plain[1]) <= LONGEST_HOST:
        return Site(plain[1], is_web=True)
    try:
        parts = urlsplit(url[:_READ_CHARACTERS])
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return None
    if not host:
        return Site("", is_web=True) if parts.path.startswith("/") and not parts.scheme and not parts.netloc else None
    spelled = ascii_host(host)
    if spelled is None:
        return None
    return Site(spelled, is_web=parts.scheme in ("", "http", "https"))
