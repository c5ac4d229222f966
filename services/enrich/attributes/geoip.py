"""Country codes from a file in the MaxMind DB format (MaxMind, DB-IP and others), read anew when it changes."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import maxminddb

from shared.runtime.configuration import ConfigurationError
from shared.runtime.logs import get_logger
from shared.status.health import Health

LOOK_SECONDS: Final = 10.0
"""How often the file is looked at."""

_PART: Final = "geoip"  # of the service's health
_UNREADABLE: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)

_Version = tuple[int, int, int]

logger = get_logger(__name__)


class GeoIpFile:
    """As `CountryCodes`. A changed file that cannot be read leaves the one before it in use; health tells."""

    def __init__(self, path: Path, clock: Callable[[], float], health: Health) -> None:
        """Read the file. Raises ConfigurationError when that cannot be done."""
        self._path = path
        self._clock = clock
        self._health = health
        self._next_look = clock() + LOOK_SECONDS
        try:
            self._version: _Version | None = _version(path)
            self._reader = _read(path)
        except _UNREADABLE as error:
            raise ConfigurationError(f"GEOIP_MMDB: {path} cannot be read: {error}") from None

    def code_of(self, address: str) -> str | None:
        """As `CountryCodes.code_of`: by where the address is, else by where it is registered."""
        try:
            record: Any = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None  # an IPv6 address in a file of IPv4 addresses, or damage that concerns this address alone
        if not isinstance(record, dict):
            return None
        for code in (record.get("country_code"), _iso_code(record, "country"), _iso_code(record, "registered_country")):
            if isinstance(code, str) and code:
                return code
        return None

    def refresh(self) -> bool:
        """As `CountryCodes.refresh`, looking at the file every LOOK_SECONDS."""
        now = self._clock()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        try:
            version = _version(self._path)
            if version == self._version:
                return False
            self._version = version  # before it is read: what cannot be read is tried again once it changes
            self._reader = _read(self._path)
        except _UNREADABLE as error:
            if isinstance(error, OSError):
                self._version = None  # it may come back just as it was
            if self._health.is_working(_PART):
                logger.error("GeoIP file not read, the one before stays", path=str(self._path), error=str(error))  # noqa: TRY400 - no trace wanted
            self._health.failing(_PART, f"GEOIP_MMDB: {self._path} cannot be read: {error}; the file before is in use")
            return False
        self._health.working(_PART)
        logger.info("GeoIP file read", path=str(self._path), built=self._reader.metadata().build_epoch)
        return True


def _iso_code(record: dict[str, Any], part: str) -> object:
    country = record.get(part)
    return country.get("iso_code") if isinstance(country, dict) else None


def _version(path: Path) -> _Version:
    found = os.stat(path)  # noqa: PTH116 - follows the links that container platforms swap
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> maxminddb.Reader:
    """Open a copy of the file: its pages are mapped, and a file that is overwritten in place would kill the process."""
    with tempfile.NamedTemporaryFile(suffix=".mmdb") as copy:
        with path.open("rb") as original:
            shutil.copyfileobj(original, copy)
        copy.flush()
        return maxminddb.open_database(copy.name, maxminddb.MODE_AUTO)  # stays readable without its name
