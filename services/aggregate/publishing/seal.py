"""The seal on what replicas tell each other through Redis: an HMAC under the secret that they share. Pure."""

import hmac
from hashlib import sha256
from typing import Final

_DIGEST_BYTES: Final = 64  # hexadecimal


class Seal:
    """Signs and checks. Without a secret it does neither, and anyone who can write to Redis can pose as a replica."""

    def __init__(self, secret: str | None, prefix: str = "") -> None:
        """`prefix` is that of the keys: what one site signs is worth nothing at another."""
        self._key = None if secret is None else sha256(f"clickpulse {prefix}\n{secret}".encode()).digest()

    def sign(self, purpose: str, data: bytes) -> bytes:
        """`data` with its signature. `purpose` says what for, so that it fits no other place or time."""
        return data if self._key is None else data + b"." + _digest(self._key, purpose, data)

    def verified(self, purpose: str, signed: bytes) -> bytes | None:
        """The data that `sign` signed for this purpose; None for anything else."""
        if self._key is None:
            return signed
        data, digest = signed[: -_DIGEST_BYTES - 1], signed[-_DIGEST_BYTES - 1 :]
        return data if hmac.compare_digest(digest, b"." + _digest(self._key, purpose, data)) else None


def _digest(key: bytes, purpose: str, data: bytes) -> bytes:
    signing = hmac.new(key, f"{len(purpose)}:{purpose}:".encode(), sha256)
    signing.update(data)
    return signing.hexdigest().encode()
