"""Whose request it is: the client's address behind the proxies that we trust. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from shared.events.addresses import plain_address

Networks = Sequence[IPv4Network | IPv6Network]

FORWARDING_HEADERS: Final = ("cf-connecting-ip", "forwarded", "x-forwarded-for")
"""In which a proxy names the client; the first of them counts."""

_FORWARDED_FOR: Final = re.compile(r'(?:^|[;,\s])for="?(\[[^\]"]*\]|[^;,"\s]*)', re.IGNORECASE)
_PORT: Final = re.compile(r":\d{1,5}$")
_MOST_HOPS: Final = 32


def client_address(peer: str, headers: Mapping[str, str], trusted: Networks) -> str:
    """The nearest address that is not a trusted proxy's. `headers` have names in lower case.

    A stranger's headers say nothing: each hop is believed only as far as a trusted proxy wrote it. Cloudflare's own
    header holds one address, so it counts where the peer is trusted and sent no list.
    """
    address = _plain(peer) or peer
    if not trusted or not _is_trusted(address, trusted):
        return address
    for hop in reversed(_hops(headers)):
        plain = _plain(hop)
        if plain is None:
            return address  # whoever is behind is unknown
        address = plain
        if not _is_trusted(address, trusted):
            break
    return address


def ignored_header(address: str, headers: Mapping[str, str]) -> str | None:
    """The header that names others than the client `address`, because no trusted proxy sent it; None without one."""
    name = next((name for name in FORWARDING_HEADERS if headers.get(name)), None)
    if name is None or address in map(_plain, _hops(headers)):
        return None
    return name


def _hops(headers: Mapping[str, str]) -> list[str]:
    if connecting := headers.get("cf-connecting-ip"):
        return [connecting.strip()]
    if forwarded := headers.get("forwarded"):
        return _FORWARDED_FOR.findall(forwarded)[-_MOST_HOPS:]
    return [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()][-_MOST_HOPS:]


@lru_cache(maxsize=65_536)
def _plain(hop: str) -> str | None:
    """An address without brackets and port."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = _PORT.sub("", hop)
    address = plain_address(hop)
    return None if address is None else str(address)


def _is_trusted(address: str, trusted: Networks) -> bool:
    parsed = plain_address(address)
    return parsed is not None and any(parsed in network for network in trusted)
