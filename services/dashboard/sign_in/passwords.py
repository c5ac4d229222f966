"""Passwords of the roles, as argon2 hashes in a file with a line `role:hash` for each."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from services.dashboard.sign_in.access import ROLES, Role
from shared.runtime.configuration import ConfigurationError

LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 1_000

_hasher: Final = argon2.PasswordHasher()


def hashed(password: str) -> str:
    """The hash for the file. It takes 64 MiB and about 0.1 s, as each check does."""
    return _hasher.hash(password)


class Passwords:
    """The hashes of the roles. Thread-safe."""

    def __init__(self, hashes: Mapping[Role, str]) -> None:
        self._hashes = dict(hashes)
        # A role without a password is checked against a hash that no password has: the same work for every attempt.
        unknown = hashed(secrets.token_hex())
        self._checked = {role: self._hashes.get(role, unknown) for role in ROLES}

    def role_of(self, password: str) -> Role | None:
        """The role with this password, the lesser if both have it; None for a wrong one. Takes 0.1 s for each role."""
        if len(password) > MOST_CHARACTERS:
            password = ""
        matching = [role for role, digest in self._checked.items() if _is_of(digest, password)]
        return next((role for role in matching if role in self._hashes), None)

    def stamp(self, role: Role) -> str | None:
        """Changes with the role's password; None without one."""
        digest = self._hashes.get(role)
        return None if digest is None else hashlib.sha256(digest.encode()).hexdigest()[:16]


def read_passwords(text: str, variable: str) -> Passwords:
    """Parse the file that `variable` names. Raises ConfigurationError, which shows no line of it."""
    hashes: dict[Role, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.strip().partition(":")
        role = next((role for role in ROLES if role == name), None)
        if role is None or role in hashes or not _is_hash(digest):
            raise ConfigurationError(
                f"{variable}: expected one line for each role as `clickpulse hash-password analyst` prints it; "
                f"line {number} is not one, or its role has another line"
            )
        hashes[role] = digest
    if not hashes:
        raise ConfigurationError(f"{variable}: the file is empty; add a line with `clickpulse hash-password analyst`")
    return Passwords(hashes)


def _is_of(digest: str, password: str) -> bool:
    try:
        return _hasher.verify(digest, password)
    except VerificationError:
        return False


def _is_hash(text: str) -> bool:
    try:
        return argon2.extract_parameters(text).type is argon2.Type.ID
    except InvalidHashError:
        return False
