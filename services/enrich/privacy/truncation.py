"""Truncated addresses, remembered: visitors send many clicks. Pure."""

from typing import Final

from services.enrich.lookups.lru import LruCache
from shared.events.addresses import LONGEST_ADDRESS, truncated_ip

truncated_ips: Final[LruCache[str | None, str | None]] = LruCache(truncated_ip, 65_536, LONGEST_ADDRESS)
"""By address."""
