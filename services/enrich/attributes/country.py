"""The country of an IP address: which addresses have one, and its English name."""

from functools import lru_cache
from typing import Final, Protocol

import iptocc
import pycountry

from services.enrich.lookups.lru import LruCache
from shared.events.addresses import LONGEST_ADDRESS, plain_address
from shared.events.schema import UNKNOWN

CACHE_ENTRIES: Final = 262_144

# Where pycountry has no common name and ISO's official one is not what people say. "XK" is in wide use, but not in ISO
# 3166.
_SHORT_NAMES: Final = {
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "CV": "Cape Verde",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "MF": "Saint Martin",
    "PN": "Pitcairn Islands",
    "PS": "Palestine",
    "RU": "Russia",
    "SH": "Saint Helena",
    "ST": "São Tomé and Príncipe",
    "SX": "Sint Maarten",
    "UM": "U.S. Outlying Islands",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
    "XK": "Kosovo",
}


class CountryCodes(Protocol):
    """A source of country codes."""

    def code_of(self, address: str) -> str | None:
        """The two-letter ISO 3166 code for a plain public address; None when unknown."""

    def refresh(self) -> bool:
        """Reload newer data if there is any. Returns whether answers may change. Cheap, never raises."""


class Allocations:
    """Codes from the registries' allocations, which `iptocc` ships."""

    def code_of(self, address: str) -> str | None:
        """As `CountryCodes.code_of`."""
        code: str | None = iptocc.country_code(address)
        return code

    def refresh(self) -> bool:
        """As `CountryCodes.refresh`. The data only changes with the installed package."""
        return False


class Countries:
    """Countries by address, behind a cache of CACHE_ENTRIES addresses."""

    def __init__(self, codes: CountryCodes) -> None:
        self._codes = codes
        self.by_ip: LruCache[str | None, str] = self._new_cache()
        """The country's English name; "Unknown" for an address that is absent, invalid, private or reserved.

        Valid is a single plain IPv4 or IPv6 address, without port, zone or short form. A mapping's answers never
        change: `refresh` replaces the mapping.
        """

    def refresh(self) -> None:
        """Use newer codes if there are any."""
        if self._codes.refresh():
            self.by_ip = self._new_cache()

    def _new_cache(self) -> LruCache[str | None, str]:
        return LruCache(self._look_up, CACHE_ENTRIES, LONGEST_ADDRESS)

    def _look_up(self, ip: str | None) -> str:
        address = public_address(ip)
        code = self._codes.code_of(address) if address is not None else None
        return country_name(code) if code is not None else UNKNOWN


def public_address(ip: str | None) -> str | None:
    """The address, unmapped to IPv4 where it is IPv4-mapped IPv6; None if it is not public."""
    address = plain_address(ip)
    if ip is None or address is None or not address.is_global or address.is_multicast:
        return None
    is_mapped = address.version == 4 and ":" in ip
    return str(address) if is_mapped else ip  # unchanged: formatting takes as long as parsing


@lru_cache(maxsize=1024)
def country_name(code: str) -> str:
    """The common short English name for a two-letter ISO 3166 code: Russia, not Russian Federation."""
    if code in _SHORT_NAMES:
        return _SHORT_NAMES[code]
    country = pycountry.countries.get(alpha_2=code)
    if country is None:
        return UNKNOWN
    name: str = getattr(country, "common_name", country.name)
    return name
