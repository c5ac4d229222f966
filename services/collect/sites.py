"""The sites whose clicks are accepted, from SITES_FILE. Pure.

[[sites]]
name = "shop.example"                        # the host, without www.
origins = ["https://shop.example"]           # whose pages may send; default: the host and its subdomains
key = "…"                                    # of servers, secret, at least 16 characters
write_key = "…"                              # of Segment's SDK in pages, which everybody can read there
user_ids = true                              # accept the sender's own user ids; default false
gpc = "drop"                                 # as GPC, for this site
events_per_second = 200                      # as COLLECT_SITE_EVENTS_PER_SECOND, for this site
"""

import hmac
import re
import tomllib
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shared.events.hosts import is_site_name, site_name

Gpc = Literal["ignore", "anonymous", "drop"]

_ORIGIN: Final = re.compile(r"https?://(?:\*\.)?[^/?#@\s*]+")


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One site and its settings; None stands for the collector's own."""

    name: str
    origins: tuple[str, ...] = ()
    key: Annotated[str, Meta(min_length=16, max_length=256)] | None = None
    write_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    user_ids: bool = False
    gpc: Gpc | None = None
    events_per_second: Annotated[float, Meta(gt=0)] | None = None

    def allows_origin(self, origin: str) -> bool:
        """Whether a page of this origin may send the site's events."""
        if self.origins:
            return any(_matches(allowed, origin) for allowed in self.origins)
        host = site_name(origin)
        return host is not None and (host == self.name or host.endswith(f".{self.name}"))

    def is_key(self, key: str | None) -> bool:
        """Whether this is the site's key."""
        return (
            self.key is not None
            and key is not None
            and hmac.compare_digest(self.key.encode(), key.encode("utf-8", "replace"))
        )


class Sites:
    """The configured sites. Without any, every site is accepted, from every origin, and none has a key."""

    def __init__(self, sites: Iterable[Site] = ()) -> None:
        self._by_name = {site.name: site for site in sites}

    @property
    def are_open(self) -> bool:
        """Whether every site is accepted."""
        return not self._by_name

    def named(self, name: str | None) -> Site | None:
        """The site that a click's site belongs to: itself, or the longest configured one of which it is a subdomain."""
        if name is None:
            return None
        if self.are_open:
            return Site(name)
        while name:
            if name in self._by_name:
                return self._by_name[name]
            name = name.partition(".")[2]
        return None

    def may_drop(self, default: Gpc) -> bool:
        """Whether visitors with a privacy signal are dropped, by default or by any site."""
        return default == "drop" or any(site.gpc == "drop" for site in self._by_name.values())

    def with_key(self, key: str | None) -> Site | None:
        """The site whose key this is."""
        if not key:
            return None
        return next((site for site in self._by_name.values() if site.is_key(key)), None)

    def with_write_key(self, key: str | None) -> Site | None:
        """The site whose pages show this key."""
        if not key:
            return None
        return next((site for site in self._by_name.values() if site.write_key == key), None)


def gpc_of(site: Site | None, default: Gpc) -> Gpc:
    """What a privacy signal changes for the visitors of a site."""
    return (site.gpc if site is not None else None) or default


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sites: tuple[Site, ...]


def read_sites(text: str) -> Sites:
    """Read SITES_FILE. Raises ValueError, which names what is wrong."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from None
    names = [site.name for site in file.sites]
    for site in file.sites:
        if not is_site_name(site.name):
            raise ValueError(f"name = {site.name!r}: expected a host in small letters without www., port or path")
        if names.count(site.name) > 1:
            raise ValueError(f"name = {site.name!r} is there twice")
        if site.key is not None and site.key == site.write_key:
            raise ValueError(f"write_key of {site.name} is its key: pages would give the secret one away")
        for origin in site.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"origins of {site.name}: expected https://host or https://*.host, got {origin!r}")
    if not names:
        raise ValueError("no [[sites]]; without SITES_FILE every site is accepted")
    return Sites(file.sites)


def _matches(allowed: str, origin: str) -> bool:
    scheme, _, host = allowed.lower().partition("://")
    given_scheme, _, given_host = origin.lower().partition("://")
    if scheme != given_scheme:
        return False
    if host.startswith("*."):
        return given_host.endswith(host[1:])
    return given_host == host
