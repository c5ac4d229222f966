"""The client of a request, whatever a server writes of it. Pure."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from shared.events.addresses import plain_address

_QUOTES: Final = " \t\"'()<>"
_LONGEST_FIELD: Final = 1024  # characters; a list of proxies may be forged
_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\](?::[0-9]{1,5})?")
_WITH_PORT: Final = re.compile(r"([0-9.]+|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}):[0-9]{1,5}")
_ONE_ADDRESS: Final = re.compile(r"([0-9.]+)/32|([0-9A-Fa-f:]+)/128")  # as networks
_PREFIX: Final = re.compile(r"(?:[^:]*[^:0-9A-Fa-f][^:]*:)?(?:[0-9]+:)?")
"""The file and the number of a line, as grep writes them before it."""
_NAME: Final = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_NO_NAMES: Final = ("unknown", "none", "null", "unix")
# Addresses in documentation are public here, unlike in `ipaddress`.
_PRIVATE: Final = [
    ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]


@lru_cache(maxsize=16_384)
def client_address(field: str) -> str | None:
    """The plain address in a field that names the client; None without one.

    Takes a port behind it, a zone, a name and `=` before it, what grep puts before a line, quotes, brackets, and a list
    as in `X-Forwarded-For`. Of a list, the client is the first public address, because proxies append theirs; else the
    first one.

    >>> client_address("[2001:db8::1]:51544"), client_address("10.0.0.1, 203.0.113.7:80"), client_address("unknown")
    ('2001:db8::1', '203.0.113.7', None)
    """
    if (one := plain_address(field)) is not None:
        return str(one)
    if len(field) > _LONGEST_FIELD:
        return None
    found = [address for item in field.split(",") if (address := _address_of(item)) is not None]
    return str(next((address for address in found if not _is_private(address)), found[0])) if found else None


@lru_cache(maxsize=1024)
def is_private_address(address: str) -> bool:
    """Whether a plain address is one of a private network, such as a proxy's."""
    parsed = plain_address(address)
    return parsed is not None and _is_private(parsed)


def client_name(field: str) -> str | None:
    """The host name that a server wrote in place of an address; None for `-`, `unknown` and what is no name."""
    is_name = _NAME.fullmatch(field) and field.lower() not in _NO_NAMES
    return field if is_name else None


def _address_of(item: str) -> IPv4Address | IPv6Address | None:
    """The address in one item of a list."""
    text = item.split(";", 1)[0].strip(_QUOTES)
    text = text.rpartition("=")[2].strip(_QUOTES)  # `for=…`, `client=…`
    if (address := _bare(text)) is None and ":" in text and (prefix := _PREFIX.match(text)):
        return _bare(text[prefix.end() :])
    return address


def _bare(text: str) -> IPv4Address | IPv6Address | None:
    """The address, also in brackets, with a port, with a zone, or as a network of one."""
    if found := _IN_BRACKETS.fullmatch(text) or _WITH_PORT.fullmatch(text):
        text = found[1]
    elif found := _ONE_ADDRESS.fullmatch(text):
        text = found[1] or found[2]
    return plain_address(text.split("%", 1)[0])


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE)
