"""Who a visitor is: the address of one, and an id where a recording has none. Pure."""

import hashlib
from functools import lru_cache
from typing import Final

from services.traffic.formats.logs.clients import client_address, client_name
from shared.events.addresses import plain_address

NO_USER_ID: Final = "no user id: a visitor is an address with a user agent"
"""What to report of them."""

_USER_ID_DIGITS: Final = 16


@lru_cache(maxsize=16_384)
def address_in(ip: str) -> str:
    """The field's text where it is an address, else the client's address in it; the text again where there is none."""
    return ip if plain_address(ip) is not None else client_address(ip) or ip


@lru_cache(maxsize=16_384)
def tells_visitors_apart(ip: str) -> bool:
    """Whether the text is an address or a host name, unlike `-` and `unknown`, which all visitors may have."""
    return plain_address(ip) is not None or client_name(ip) is not None


@lru_cache(maxsize=4096)
def visitor_of(ip: str, agent: str | None) -> str:
    """The id of whoever has this address and user agent: the same in every format."""
    return hashlib.md5(f"{ip}|{agent or '-'}".encode(), usedforsecurity=False).hexdigest()[:_USER_ID_DIGITS]
