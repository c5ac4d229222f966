"""A dashboard with passwords for tests, and the cookies that it would give."""

import time
from pathlib import Path
from typing import Final

import argon2

from services.dashboard.sign_in.access import Role
from services.dashboard.sign_in.methods import SESSION_COOKIE, SHARE_COOKIE, BySharedLink
from services.dashboard.sign_in.passwords import read_passwords
from services.dashboard.sign_in.tokens import Session, Signer

PASSWORDS: Final[dict[Role, str]] = {"viewer": "password of viewers", "analyst": "password of analysts"}
_HOUR_S: Final = 3_600


class PasswordFiles:
    """The files of a dashboard with a password for each role. Checking one costs nearly nothing."""

    def __init__(self, folder: Path) -> None:
        cheap = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        self._passwords, self._secret = folder / "passwords", folder / "secret"
        self._passwords.write_text("".join(f"{role}:{cheap.hash(word)}\n" for role, word in PASSWORDS.items()))
        self._secret.write_text("a secret that the tests know too\n")
        for file in (self._passwords, self._secret):
            file.chmod(0o600)
        self.signer = Signer(self._secret.read_text().strip().encode())

    @property
    def settings(self) -> dict[str, str]:
        """The environment of the dashboard."""
        return {
            "DASHBOARD_AUTH": "password",
            "DASHBOARD_PASSWORD_FILE": str(self._passwords),
            "DASHBOARD_SECRET_FILE": str(self._secret),
        }

    def session(self, role: Role, seconds: float = _HOUR_S) -> dict[str, str]:
        """The cookie of a session that lasts for so long; a negative time: it has ended."""
        stamp = read_passwords(self._passwords.read_text(), "FILE").stamp(role)
        assert stamp is not None
        return {SESSION_COOKIE: self.signer.sign(Session(f"of {role}", role, int(time.time() + seconds), stamp))}

    def shared(self, page: str, seconds: float = _HOUR_S) -> dict[str, str]:
        """The cookie of someone who opened a shared link to a page."""
        return {SHARE_COOKIE: BySharedLink(self.signer).link(page, seconds / _HOUR_S, time.time())}
