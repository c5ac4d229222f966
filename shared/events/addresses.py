"""IP addresses as text: parsing and truncating them. Pure."""

import re
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET6, inet_ntop
from typing import Final

LONGEST_ADDRESS: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

_NETWORK_BYTES: Final = 6  # of the 16 of IPv6
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"({_OCTET}\.{_OCTET}\.{_OCTET}\.){_OCTET}")
"""What IPv4Address takes: no leading zeros, only ASCII digits."""


def plain_address(ip: str | None) -> IPv4Address | IPv6Address | None:
    """The address, unmapped to IPv4 where it is IPv4-mapped IPv6; None for other text, also with a port or zone."""
    if ip is None or len(ip) > LONGEST_ADDRESS:
        return None
    try:
        if ":" not in ip:
            return IPv4Address(ip)
        address = IPv6Address(ip)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if address.scope_id is None else None


def truncated_ip(ip: str | None) -> str | None:
    """The address with its last octet (IPv6: all but the first 48 bits) zeroed; None if it is not a plain address."""
    if ip is None:
        return None
    if (found := _IPV4.fullmatch(ip)) is not None:  # in a seventh of ipaddress's time
        return f"{found[1]}0"
    address = plain_address(ip)
    if address is None:
        return None
    if isinstance(address, IPv4Address):  # mapped
        return str(address).rpartition(".")[0] + ".0"
    return inet_ntop(AF_INET6, address.packed[:_NETWORK_BYTES].ljust(16, b"\0"))  # in a tenth of ipaddress's time
