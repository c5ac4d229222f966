"""By which names the dashboard is reached, and whether a page of another site asks. Pure.

A browser sends the name in `Host` and the page that asks in `Origin`. A stranger's page can have any name resolve to
this machine, so a name that the operator did not list gets nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
EVERY_INTERFACE: Final = ("0.0.0.0", "::")  # noqa: S104 - these are addresses to listen on, not names
ANY: Final = "*"

_SITE: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::([0-9]{0,5}))?")
_ORIGIN: Final = re.compile(r"(https?)://(.*)", re.DOTALL)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Site:
    """A name and port as in a URL: the name in lower case without a trailing dot, an IPv6 address without brackets."""

    name: str
    port: int | None = None


def read_site(text: str) -> Site | None:
    """Parse `name`, `name:port` or `[address]:port`; None for anything else."""
    found = _SITE.fullmatch(text)
    if found is None:
        return None
    name = read_name(found[1])
    port = int(found[2]) if found[2] else None
    return None if name is None or (port is not None and port > 65_535) else Site(name, port)


def read_name(text: str) -> str | None:
    """The one spelling of a host's name or address; None for anything else."""
    if ":" in text:
        try:
            return str(IPv6Address(text.removeprefix("[").removesuffix("]")))
        except AddressValueError:
            return None
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    return name if _SITE.fullmatch(name) and not name.startswith("[") else None


def is_own_origin(origin: str, host: Site, *, is_encrypted: bool) -> bool:
    """Whether a page of `host` asks. `is_encrypted`: the request came over TLS, so its page did too."""
    found = _ORIGIN.fullmatch(origin)
    site = read_site(found[2]) if found else None
    if found is None or site is None or (is_encrypted and found[1] != "https"):
        return False
    default = _PORTS[found[1]]
    return (site.name, site.port or default) == (host.name, host.port or default)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that get an answer."""

    names: frozenset[str]

    def __contains__(self, name: str) -> bool:
        if name in self.names or ANY in self.names:
            return True
        return any(f"*.{parent}" in self.names for parent in _parents(name))


def hosts_of(address: str, listed: Iterable[str]) -> Hosts:
    """The loopback names, the address to listen on unless it is every interface, and the listed names."""
    own = [] if address in EVERY_INTERFACE else [read_name(address) or address]
    return Hosts(frozenset([*LOOPBACK, *own, *listed]))


def read_listed(text: str) -> tuple[str, ...]:
    """Parse the names of a setting, separated by commas. Raises ValueError."""
    return tuple(_listed_name(part.strip()) for part in text.split(",") if part.strip())


def _listed_name(text: str) -> str:
    if text == ANY:
        return text
    wildcard = "*." if text.startswith("*.") else ""
    name = read_name(text.removeprefix(wildcard))
    if name is None:
        raise ValueError(f"expected names without scheme, port or path, such as stats.shop.example, got {text!r}")
    return wildcard + name


def _parents(name: str) -> Iterable[str]:
    labels = name.split(".")
    return (".".join(labels[first:]) for first in range(1, len(labels)))
