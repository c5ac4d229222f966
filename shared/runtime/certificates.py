"""Complaints about the settings that name certificates and keys, the same for Redis and Kafka."""

import ssl
from collections.abc import Mapping
from pathlib import Path


def missing_files(given: Mapping[str, str]) -> list[str]:
    """A complaint about each variable whose file is missing."""
    return [f"{name}: no file or folder {path}" for name, path in given.items() if not _exists(path)]


def lonely_certificate(
    certificate: str, certificate_location: str | None, key: str, key_location: str | None
) -> list[str]:
    """A complaint about a client certificate without its key, or the reverse."""
    if (certificate_location is None) == (key_location is None):
        return []
    given, absent = (certificate, key) if key_location is None else (key, certificate)
    return [f"{given}: is set, but {absent} is not; a client certificate needs both"]


def unusable_ca(variable: str, location: str | None, *, may_be_folder: bool) -> list[str]:
    """A complaint about a file that holds no CA certificate."""
    if location is None or not _exists(location):
        return []
    if Path(location).is_dir():
        return [] if may_be_folder else [f"{variable}: {location} is a folder; expected a file, for example ca.pem"]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(location)
    except ssl.SSLError:
        return [f"{variable}: {location} holds no certificate; expected a PEM file, -----BEGIN CERTIFICATE-----"]
    except OSError as error:
        return [f"{variable}: cannot read {location}: {error.strerror}"]
    return []


def unusable_certificate(
    certificate: str, certificate_location: str | None, key: str, key_location: str | None
) -> list[str]:
    """A complaint about a client certificate and key that cannot be used together."""
    if certificate_location is None or key_location is None:
        return []
    if not (_exists(certificate_location) and _exists(key_location)):
        return []
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate_location, key_location, _refuse)
    except _Encrypted:
        return [f"{key}: {key_location} is encrypted; expected a key without a passphrase, as `openssl pkey` writes it"]
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return [f"{key}: {key_location} is not the key of {certificate}={certificate_location}"]
        named = f"{certificate}, {key}: {certificate_location} and {key_location}"
        expected = "PEM files, -----BEGIN CERTIFICATE----- and -----BEGIN PRIVATE KEY-----"
        return [f"{named} do not hold a certificate and its key; expected {expected}"]
    except OSError as error:
        return [f"{certificate}, {key}: cannot read {certificate_location} or {key_location}: {error.strerror}"]
    return []


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # such as a name that is too long
        return False


class _Encrypted(Exception):  # noqa: N818 - a property of the key
    pass


def _refuse() -> str:
    raise _Encrypted
