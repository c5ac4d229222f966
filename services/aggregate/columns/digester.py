"""Digests of ids under a secret key, so that nobody can choose ids that meet in a hash table.

XXH3 alone is fast and no defence: for ids of 9 to 16 bytes it is a handful of invertible steps, and a seed does not
change that. So each hash is then encrypted with AES under the key. That is a random permutation for all who lack the
key: ids with different hashes get unrelated digests, whatever the ids are. The seed of XXH3 is secret as well, because
ids with the same hash would be one visitor.
"""

import secrets
from collections.abc import Iterable
from itertools import repeat
from typing import Final

import numpy as np
import xxhash
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.aggregate.columns.digests import Digests

DIGEST_BYTES: Final = 16  # a block of AES
_CIPHER_KEY_BYTES: Final = 16
_SEED_BYTES: Final = 8
Hashes = Digests
"""One row per id: the two halves of its seeded hash, which is not encrypted yet."""

_hash = xxhash.xxh3_128_digest


def new_digest_key() -> bytes:
    """A random key. It is stored with the state, because digests are."""
    return secrets.token_bytes(_CIPHER_KEY_BYTES + _SEED_BYTES)


class Digester:
    """Computes digests under one key. Works on whole columns: encrypting a hash takes 3 ns, hashing an id 130."""

    def __init__(self, key: bytes) -> None:
        """`key` is from `new_digest_key`. Raises ValueError for one of another length."""
        if len(key) != _CIPHER_KEY_BYTES + _SEED_BYTES:
            raise ValueError(f"a digest key of {len(key)} bytes")
        self._seed = int.from_bytes(key[_CIPHER_KEY_BYTES:])
        # ECB encrypts each block on its own, which is what a column of hashes needs.
        cipher = Cipher(algorithms.AES(key[:_CIPHER_KEY_BYTES]), modes.ECB())  # noqa: S305 - nothing is kept secret
        self._encrypt = cipher.encryptor().update

    def hashes(self, ids: Iterable[str]) -> Hashes:
        """The seeded hash of each id, for `digests`."""
        return np.frombuffer(b"".join(map(_hash, ids, repeat(self._seed))), np.uint64).reshape(-1, 2)

    def digests(self, hashes: Hashes) -> Digests:
        """The digests of ids with these hashes, one row each."""
        return self._encrypted(hashes)

    def digests_within(self, owners: Digests, hashes: Hashes) -> Digests:
        """The digests of ids that are unique only within their owner, one row each: equal if both are equal.

        It is the CBC-MAC of the two hashes.
        """
        return self._encrypted(owners ^ hashes)

    def _encrypted(self, blocks: Hashes) -> Digests:
        digests = np.frombuffer(self._encrypt(blocks.tobytes()), np.uint64).reshape(-1, 2)
        return digests if digests.all() else np.where(digests == 0, np.uint64(1), digests)
