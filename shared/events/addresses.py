"""IP addresses as text: parsing and truncating them. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

LONGEST_ADDRESS: Final = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")


def plain_address(ip: str | None) -> IPv4Address | IPv6Address | None:
    """The address, unmapped to IPv4 where it is IPv4-mapped IPv6; None for other text, also with a port or zone."""
    if ip is None or len(ip) > LONGEST_ADDRESS:
        return None
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def truncated_ip(ip: str | None) -> str | None:
    """The address with its last octet (IPv6: all but the first 48 bits) zeroed; None if it is not a plain address."""
    address = plain_address(ip)
    if address is None:
        return None
    bits = 48 if isinstance(address, IPv6Address) else 24
    return str(ip_network((address, bits), strict=False).network_address)
