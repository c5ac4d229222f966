"""Sign-in through an OpenID Connect provider. Streamlit and Authlib speak with it; here is who is admitted.

Streamlit keeps the claims of the id token in a signed cookie for thirty days. It checks neither their age nor the user.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from itsdangerous import BadData, URLSafeTimedSerializer
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_server_config import TOKENS_COOKIE_NAME, USER_COOKIE_NAME

from services.dashboard.sign_in.access import Access, Role
from services.dashboard.sign_in.methods import HOUR_S
from services.dashboard.sign_in.standings import NOBODY, Expired, Refused, SignedIn, Standing

PROVIDER: Final = "default"
"""Streamlit's name for a provider without a name."""

COOKIES: Final = (USER_COOKIE_NAME, TOKENS_COOKIE_NAME)
_LONGEST_EMAIL: Final = 254


@dataclass(frozen=True, slots=True)
class Admitted:
    """The e-mail addresses of each role; `@shop.example` admits every address of the domain."""

    analysts: frozenset[str]
    viewers: frozenset[str]

    def role_of(self, email: str) -> Role | None:
        """The role of an address in lower case."""
        known = {email, email[email.rfind("@") :]}
        # An address that is listed itself has that role, whatever its domain's is.
        for names in ({email}, known):
            if names & self.analysts:
                return "analyst"
            if names & self.viewers:
                return "viewer"
        return None


def admitted(claims: Mapping[str, Any], users: Admitted) -> tuple[Role, str] | str:
    """The role and address of whom the claims are about, or the sentence that says why they are not admitted."""
    email = claims.get("email")
    # Letters of other alphabets can turn into ASCII ones in lower case, so they are not compared at all.
    if not isinstance(email, str) or not email.isascii() or not email.isprintable() or len(email) > _LONGEST_EMAIL:
        return "The provider reported no e-mail address that this dashboard can read."
    if claims.get("email_verified") not in (True, "true"):  # some providers send text
        return f"The provider has not verified the address {email}."
    role = users.role_of(email.lower())
    return f"{email} is not among the users of this dashboard." if role is None else (role, email.lower())


@dataclass(frozen=True, slots=True)
class ByProvider:
    """Reads Streamlit's cookie. `cookie_secret` is the one that Streamlit signs with."""

    cookie_secret: str
    users: Admitted
    hours: float

    def standing(self, cookies: Mapping[str, str], now_s: float) -> Standing:
        """The sign-in ends `hours` after the provider's answer, whatever the cookie's age may be."""
        signed_at: list[float] = []

        def read(name: str) -> bytes | None:
            # Streamlit signs each part of a long cookie, with its name as the salt.
            serializer = URLSafeTimedSerializer(self.cookie_secret, salt=name)
            try:
                text, at = serializer.loads(cookies[name], return_timestamp=True)
            except (KeyError, BadData):
                return None
            signed_at.append(at.timestamp())
            return text.encode() if isinstance(text, str) else None

        try:
            decoded = get_cookie_with_chunks(read, USER_COOKIE_NAME)
            claims = json.loads(decoded) if decoded else None
        except ValueError:
            return NOBODY
        if not isinstance(claims, dict) or not claims.get("is_logged_in"):
            return NOBODY
        until_s = int(min(signed_at) + self.hours * HOUR_S)
        if until_s <= now_s:
            return Expired()
        # The claims hold the provider's nonce and time, so each sign-in has its own.
        key = f"provider {hashlib.sha256(decoded or b'').hexdigest()}"
        found = admitted(claims, self.users)
        if isinstance(found, str):
            return Refused(found, key)
        role, email = found
        return SignedIn(Access(role=role, name=email, until_s=until_s), until_s, key)


def read_users(text: str) -> frozenset[str]:
    """Parse the addresses of a setting, separated by commas. Raises ValueError."""
    users = {part.strip().lower() for part in text.split(",") if part.strip()}
    for user in users:
        if not user.isascii() or user.count("@") != 1 or user.endswith("@") or " " in user:
            raise ValueError(f"expected e-mail addresses or @domains, separated by commas, got {user!r}")
    return frozenset(users)


def streamlit_secrets(
    *, public_url: str, metadata_url: str, client_id: str, client_secret: str, cookie_secret: str
) -> dict[str, Any]:
    """What Streamlit expects in its `secrets.toml`."""
    return {
        "auth": {
            "redirect_uri": f"{public_url}/oauth2callback",
            "cookie_secret": cookie_secret,
            "client_id": client_id,
            "client_secret": client_secret,
            "server_metadata_url": metadata_url,
        }
    }


def cookies_to_delete(cookies: Collection[str]) -> list[str]:
    """Those of the sent cookies that Streamlit made, with the parts of long ones."""
    return [name for name in cookies if name.startswith(COOKIES)]
