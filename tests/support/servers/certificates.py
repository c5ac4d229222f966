"""Certificates for tests, made when needed."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files: a certificate with its chain, its key, and both in one file as Kafka reads them."""

    chain: Path
    key: Path
    both: Path


class Authority:
    """A certificate authority; `ca` is the file with its certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        folder.mkdir()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def certify(self, name: str) -> Certificate:
        """A certificate for a host or a service of this name."""
        leaf = self._authority.issue_cert(name, common_name=name)
        files = Certificate(*(self._folder / f"{name}.{end}" for end in ("crt", "key", "pem")))
        chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        # Kafka reads keys in PKCS #8 only.
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        files.chain.write_bytes(chain)
        files.key.write_bytes(key)
        files.both.write_bytes(key + chain)
        return files
