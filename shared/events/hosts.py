"""Hosts in one spelling. Pure."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

LONGEST_HOST: Final = 253  # RFC 1035
_LONGEST_LABEL: Final = 63  # RFC 1035; Python's IDNA codec takes seconds for longer ones
_READ_CHARACTERS: Final = 1024  # the host comes first; what follows can be long and costly to parse
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)

_SITE: Final = re.compile(
    rf"\A(?=.{{1,{LONGEST_HOST}}}\Z)(?!www\.)[a-z0-9_-]{{1,63}}(?:\.[a-z0-9_-]{{1,63}})*\Z", re.ASCII
)
"""Matches what `site_name` returns as it is."""


def site_name(text: str) -> str | None:
    """The name of a site: its host in lower case and ASCII, without port and `www.`; None for text without a host.

    >>> site_name("shop.example"), site_name("https://www.Shop.example:8443/cart"), site_name("my shop")
    ('shop.example', 'shop.example', None)
    """
    if _SITE.match(text):
        return text
    text = text.strip()[:_READ_CHARACTERS]
    try:
        host = urlsplit(text if "://" in text or text.startswith("//") else f"//{text}").hostname or ""
    except ValueError:
        return None
    name = ascii_host(host.rstrip(".")) or ""
    while name.startswith("www."):
        name = name.removeprefix("www.")
    return name if _SITE.match(name) else None


def is_site_name(text: str) -> bool:
    """Whether `site_name` returns the text as it is."""
    return _SITE.match(text) is not None


def ascii_host(host: str) -> str | None:
    """One spelling for a host in lower case; None for text that cannot be one."""
    if len(host) > LONGEST_HOST or max(map(len, host.split("."))) > _LONGEST_LABEL:
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    return host if _HOST.fullmatch(host) or is_address(host) else None


def is_address(host: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
