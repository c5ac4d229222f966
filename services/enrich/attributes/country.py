"""The country of an IP address: which addresses have one, and its English name. Where the codes come from is given."""

from functools import lru_cache
from typing import Final, Protocol

import iptocc
import pycountry

from services.enrich.lookups.lru import RecentlyUsed
from shared.events.addresses import LONGEST_ADDRESS, plain_address
from shared.events.schema import UNKNOWN

CACHE_ENTRIES: Final = 262_144

_KOSOVO: Final = ("XK", "Kosovo")  # in use everywhere, but no part of ISO 3166


class CountryCodes(Protocol):
    """Knows the ISO 3166 code of an address's country."""

    def code_of(self, address: str) -> str | None:
        """The code of two letters for a plain public address; None when it is not known."""

    def refresh(self) -> bool:
        """Look whether there is something newer; True when answers may differ from now on. Cheap, never raises."""


class Allocations:
    """The codes by the registries' allocations, which come with `iptocc`."""

    def code_of(self, address: str) -> str | None:
        """As `CountryCodes.code_of`."""
        code: str | None = iptocc.country_code(address)
        return code

    def refresh(self) -> bool:
        """As `CountryCodes.refresh`: they change with the installed package only."""
        return False


class Countries:
    """Countries by address, behind a cache of CACHE_ENTRIES addresses."""

    def __init__(self, codes: CountryCodes) -> None:
        self._codes = codes
        self.by_ip: RecentlyUsed[str | None, str] = self._nothing_known()
        """The English name of the country, "Unknown" for an address that is absent, wrong, private or reserved.

        One plain IPv4 or IPv6 address is an address; a port, a list, a zone or a short form makes it none. What this
        one mapping answers does not change: newer codes come with another.
        """

    def refresh(self) -> None:
        """Use newer codes where there are some."""
        if self._codes.refresh():
            self.by_ip = self._nothing_known()

    def _nothing_known(self) -> RecentlyUsed[str | None, str]:
        return RecentlyUsed(self._look_up, CACHE_ENTRIES, LONGEST_ADDRESS)

    def _look_up(self, ip: str | None) -> str:
        address = public_address(ip)
        code = self._codes.code_of(address) if address is not None else None
        return country_name(code) if code is not None else UNKNOWN


def public_address(ip: str | None) -> str | None:
    """The address, as IPv4 where that is mapped into IPv6; None for any that is not public."""
    address = plain_address(ip)
    if ip is None or address is None or not address.is_global or address.is_multicast:
        return None
    is_mapped = address.version == 4 and ":" in ip
    return str(address) if is_mapped else ip  # as it was written: writing it anew takes as long as reading it


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
