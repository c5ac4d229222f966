"""The country of an IP address, by the registries' allocations that come with `iptocc`."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

import iptocc
import pycountry

from shared.events import UNKNOWN

CACHE_ENTRIES: Final = 65_536
_LONGEST_ADDRESS: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
_KOSOVO: Final = ("XK", "Kosovo")  # in use everywhere, but no part of ISO 3166


def country_of(ip: str | None) -> str:
    """The English name of the country, "Unknown" for an address that is absent, wrong, private or reserved.

    One plain IPv4 or IPv6 address is an address; a port, a list, a zone or a short form makes it none.
    """
    # What is too long for an address must not get into the cache, where it would take memory.
    return _country_of_address(ip) if ip and len(ip) <= _LONGEST_ADDRESS else UNKNOWN


@lru_cache(maxsize=CACHE_ENTRIES)
def _country_of_address(ip: str) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return UNKNOWN
        address = address.ipv4_mapped or address
    if not address.is_global or address.is_multicast:
        return UNKNOWN
    code = iptocc.country_code(str(address))
    return country_name(code) if code is not None else UNKNOWN


@lru_cache(maxsize=1024)
def country_name(code: str) -> str:
    """The English name of an ISO 3166 code of two letters, the short one where there is one."""
    if code == _KOSOVO[0]:
        return _KOSOVO[1]
    country = pycountry.countries.get(alpha_2=code)
    if country is None:
        return UNKNOWN
    name: str = getattr(country, "common_name", country.name)
    return name
