"""The names under which Redis holds visitors while HASH_USER_ID is on: keyed hashes, so that it holds no visitor's id.

They have a domain of their own, so that no name equals a pseudonym, and no period, because lookups outlive all periods.
"""

import hmac
import secrets
from collections.abc import Collection, Sequence
from typing import Final

import redis

from shared.privacy.rotation import pseudonym_of
from shared.runtime.redis_replies import is_wrong_type
from shared.status.unreadable import UNREADABLE

_DOMAIN: Final = b"visitor lookups"
_KEY_BYTES: Final = 32


def lookup_key_of(secret: str) -> bytes:
    """The key of the names, for everybody who knows HASH_SALT."""
    return hmac.digest(secret.encode(), _DOMAIN, "sha256")


def lookup_name(user_id: str, key: bytes) -> str:
    """32 hexadecimal digits that stand for the visitor in `visitor:<name>`."""
    return pseudonym_of(user_id, key)


def shared_key_key(prefix: str) -> str:
    """The key of the names when HASH_SALT is not set: 32 random bytes in Redis, without expiry."""
    return f"{prefix}enrich:lookup-key"


class LookupNames:
    """As `Names`. With a `secret`, Redis alone links no name to an id. Without, its holder can test ids they guess."""

    def __init__(self, client: redis.Redis, prefix: str, secret: str | None) -> None:
        self._client = client
        self._redis_key = shared_key_key(prefix)
        self._key = lookup_key_of(secret) if secret is not None else None

    def of(self, user_ids: Collection[str]) -> Sequence[str]:
        """As `Names.of`."""
        if not user_ids:
            return []
        key = self._key or self._agreed_key()
        return [lookup_name(user_id, key) for user_id in user_ids]

    def _agreed_key(self) -> bytes:
        """The key in Redis; creates it if there is none. Asked each time: a flushed Redis gets another one."""
        with self._client.pipeline() as transaction:
            transaction.set(self._redis_key, secrets.token_bytes(_KEY_BYTES), nx=True)
            transaction.getrange(self._redis_key, 0, _KEY_BYTES)
            key = transaction.execute(raise_on_error=False)[1]
        if isinstance(key, redis.ResponseError) and not is_wrong_type(key):
            raise key
        if isinstance(key, bytes) and len(key) == _KEY_BYTES:
            return key
        UNREADABLE.drop("enrich:lookup-key", "no key of ours", "writing it anew; load the visitors again")
        self._client.delete(self._redis_key)
        return self._agreed_key()
