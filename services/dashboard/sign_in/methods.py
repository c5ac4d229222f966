"""The ways to sign in: each tells from the cookies of a request where it stands. Pure; times are epoch seconds."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from services.dashboard.sign_in.access import Access, Role
from services.dashboard.sign_in.pages import LIVE, TITLES
from services.dashboard.sign_in.passwords import Passwords
from services.dashboard.sign_in.standings import NOBODY, Expired, SignedIn, Standing
from services.dashboard.sign_in.tokens import Session, Share, Signer

SESSION_COOKIE: Final = "clickpulse_session"
SHARE_COOKIE: Final = "clickpulse_share"
HOUR_S: Final = 3_600


class Method(Protocol):
    """How people sign in here."""

    def standing(self, cookies: Mapping[str, str], now_s: float) -> Standing:
        """Where a request with these cookies stands."""


@dataclass(frozen=True, slots=True)
class ByPassword:
    """A session is a signed cookie of ours."""

    signer: Signer
    passwords: Passwords
    hours: float

    def start(self, role: Role, now_s: float) -> tuple[str, Session]:
        """The cookie of a new session, with an id of its own."""
        stamp = self.passwords.stamp(role)
        assert stamp is not None, "only a role with a password can sign in"
        session = Session(secrets.token_urlsafe(16), role, int(now_s + self.hours * HOUR_S), stamp)
        return self.signer.sign(session), session

    def standing(self, cookies: Mapping[str, str], now_s: float) -> Standing:
        """A session whose password has changed since counts as expired."""
        session = self.signer.read(Session, cookies.get(SESSION_COOKIE))
        if session is None:
            return NOBODY
        if session.until_s <= now_s or session.stamp != self.passwords.stamp(session.role):
            return Expired()
        access = Access(role=session.role, until_s=session.until_s)
        return SignedIn(access, session.until_s, f"session {session.id}")


@dataclass(frozen=True, slots=True)
class BySharedLink:
    """The token of the link that was opened last is kept in a cookie, so that it leaves the address."""

    signer: Signer

    def link(self, page: str, hours: float, now_s: float, of: str = "") -> str:
        """The token of a link to a page, of the site with the label `of`."""
        return self.signer.sign(Share(page, int(now_s + hours * HOUR_S), of))

    def standing(self, cookies: Mapping[str, str], now_s: float) -> Standing:
        """A link makes a viewer of one page."""
        return self.standing_of(cookies.get(SHARE_COOKIE), now_s)

    def standing_of(self, token: str | None, now_s: float) -> Standing:
        """The same for the token itself."""
        share = self.signer.read(Share, token)
        if share is None or share.page not in TITLES:
            return NOBODY
        if share.until_s <= now_s:
            return Expired(is_shared=True)
        access = Access(role="viewer", page=share.page, of=quote(share.of), until_s=share.until_s)
        return SignedIn(access, share.until_s, f"share {share.page or LIVE} {share.until_s} {share.of}".rstrip())


@dataclass(frozen=True, slots=True)
class Either:
    """A sign-in, or else a shared link."""

    own: Method
    shared: BySharedLink

    def standing(self, cookies: Mapping[str, str], now_s: float) -> Standing:
        """The better of both; what the sign-in lacks if neither is one."""
        own = self.own.standing(cookies, now_s)
        if isinstance(own, SignedIn):
            return own
        shared = self.shared.standing(cookies, now_s)
        if isinstance(shared, SignedIn):
            return shared
        return shared if own is NOBODY else own
