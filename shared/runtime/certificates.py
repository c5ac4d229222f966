"""Complaints about the settings that name certificates and keys, the same for Redis and Kafka."""

from collections.abc import Mapping
from pathlib import Path


def missing_files(given: Mapping[str, str]) -> list[str]:
    """A complaint about each variable whose file is missing."""
    return [f"{name}: no file or folder {path}" for name, path in given.items() if not Path(path).exists()]


def lonely_certificate(
    certificate: str, certificate_location: str | None, key: str, key_location: str | None
) -> list[str]:
    """A complaint about a client certificate without its key, or the reverse."""
    if (certificate_location is None) == (key_location is None):
        return []
    given, absent = (certificate, key) if key_location is None else (key, certificate)
    return [f"{given}: is set, but {absent} is not; a client certificate needs both"]
