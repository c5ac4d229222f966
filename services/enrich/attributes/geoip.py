"""Country codes from a MaxMind DB file (MaxMind, DB-IP and others), reloaded when it changes."""

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

CHECK_SECONDS: Final = 10.0
"""How often to check the file for changes."""

_PART: Final = "geoip"  # of the service's health
_UNREADABLE: Final = (OSError, ValueError, maxminddb.InvalidDatabaseError)

_Version = tuple[int, int, int]

logger = get_logger(__name__)


class GeoIpFile:
    """As `CountryCodes`. When a changed file is unreadable, the previous one stays in use and health is failing."""

    def __init__(self, path: Path, clock: Callable[[], float], health: Health) -> None:
        """Read the file. Raises ConfigurationError if it is unreadable."""
        self._path = path
        self._clock = clock
        self._health = health
        self._next_check = clock() + CHECK_SECONDS
        try:
            self._version: _Version | None = _version(path)
            self._reader = _read(path)
        except _UNREADABLE as error:
            raise ConfigurationError(f"GEOIP_MMDB: {path} cannot be read: {error}") from None

    def code_of(self, address: str) -> str | None:
        """As `CountryCodes.code_of`: where the address is located, else where it is registered."""
        try:
            record: Any = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None  # IPv6 in an IPv4-only file, or damage at this address
        if not isinstance(record, dict):
            return None
        for code in (record.get("country_code"), _iso_code(record, "country"), _iso_code(record, "registered_country")):
            if isinstance(code, str) and code:
                return code
        return None

    def refresh(self) -> bool:
        """As `CountryCodes.refresh`; checks the file every CHECK_SECONDS."""
        now = self._clock()
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_SECONDS
        try:
            version = _version(self._path)
            if version == self._version:
                return False
            self._version = version  # set before reading, so that an unreadable file is retried only once it changes
            self._reader = _read(self._path)
        except _UNREADABLE as error:
            if isinstance(error, OSError):
                self._version = None  # it may return unchanged
            if self._health.is_working(_PART):
                logger.error("GeoIP file unreadable, using the previous one", path=str(self._path), error=str(error))  # noqa: TRY400 - no trace wanted
            self._health.failing(_PART, f"GEOIP_MMDB: {self._path} cannot be read: {error}; using the previous one")
            return False
        self._health.working(_PART)
        logger.info("GeoIP file loaded", path=str(self._path), built=self._reader.metadata().build_epoch)
        return True


def _iso_code(record: dict[str, Any], part: str) -> object:
    country = record.get(part)
    return country.get("iso_code") if isinstance(country, dict) else None


def _version(path: Path) -> _Version:
    found = os.stat(path)  # noqa: PTH116 - follows the symlinks that container platforms swap
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> maxminddb.Reader:
    """Open a copy: the reader maps the file, and overwriting a mapped file in place would crash the process."""
    with tempfile.NamedTemporaryFile(suffix=".mmdb") as copy:
        with path.open("rb") as original:
            shutil.copyfileobj(original, copy)
        copy.flush()
        return maxminddb.open_database(copy.name, maxminddb.MODE_AUTO)  # stays readable after it is unlinked
