"""Who a visitor is where a recording has no user ids. Pure."""

import hashlib
from functools import lru_cache
from typing import Final

NO_USER_ID: Final = "no user id: a visitor is an address with a user agent"
"""What to report of them."""

_USER_ID_DIGITS: Final = 16


@lru_cache(maxsize=4096)
def visitor_of(ip: str, agent: str | None) -> str:
    """The id of whoever has this address and user agent: the same in every format."""
    return hashlib.md5(f"{ip}|{agent or '-'}".encode(), usedforsecurity=False).hexdigest()[:_USER_ID_DIGITS]
