"""The keys of the API, from API_KEYS_FILE. Pure.

[[keys]]
name = "grafana"                             # for you and for logs
sha256 = "9f86d081884c7d65…"                 # of the key, which is in no file
requests_per_minute = 600                    # the default
"""

import hmac
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, Final

import msgspec
from msgspec import Meta

USUAL_REQUESTS_PER_MINUTE: Final = 600
_PREFIX: Final = "clickpulse_"
"""By it, scanners of repositories and logs find a key that leaked."""


NAME: Final = r"^[A-Za-z0-9._-]{1,64}$"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may ask. The key itself is known to its owner alone."""

    name: Annotated[str, Meta(pattern=NAME)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    requests_per_minute: Annotated[float, Meta(gt=0, le=1_000_000)] = USUAL_REQUESTS_PER_MINUTE


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: Annotated[tuple[Key, ...], Meta(min_length=1)]


def read_keys(text: str) -> Sequence[Key]:
    """The keys of a file. Raises ValueError."""
    keys = msgspec.convert(tomllib.loads(text), _File).keys
    if len({key.name for key in keys}) < len(keys) or len({key.sha256 for key in keys}) < len(keys):
        raise ValueError("expected a different name and sha256 for each key")
    return keys


def key_of(keys: Sequence[Key], authorization: str) -> Key | None:
    """The key of `Authorization: Bearer KEY`; None if it is none of these. Takes as long for any."""
    scheme, _, given = authorization.partition(" ")
    digest = _digest(given.strip()) if scheme.lower() == "bearer" else ""
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def new_key(name: str) -> tuple[str, str]:
    """A random key, and its lines for API_KEYS_FILE."""
    key = _PREFIX + token_urlsafe(32)
    return key, f'[[keys]]\nname = "{name}"\nsha256 = "{_digest(key)}"\n'


def _digest(key: str) -> str:
    # A key of 256 random bits needs no slow hash.
    return sha256(key.encode("utf-8", "replace")).hexdigest()
