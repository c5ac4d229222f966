"""Builds the gate from the settings."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware import Middleware

from services.dashboard.sign_in.by_provider import Admitted, ByProvider, read_users, streamlit_secrets
from services.dashboard.sign_in.gate.forms import Forms
from services.dashboard.sign_in.gate.middleware import Gate
from services.dashboard.sign_in.gate.open_sockets import OpenSockets
from services.dashboard.sign_in.gate.provider_routes import ProviderRoutes
from services.dashboard.sign_in.gate.responses import Cookies
from services.dashboard.sign_in.gate.throttle import Throttle
from services.dashboard.sign_in.methods import ByPassword, BySharedLink, Either, Method
from services.dashboard.sign_in.passwords import read_passwords
from services.dashboard.sign_in.secret_files import read_text, signing_key
from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.sign_in.standings import SignedOut
from services.dashboard.sign_in.tokens import Signer
from shared.runtime.settings import ConfigurationError


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the settings say, with the content of their files. `secrets`: what Streamlit finds in `st.secrets`."""

    settings: SignInSettings
    key: bytes
    by_password: ByPassword | None
    by_provider: ByProvider | None
    secrets: dict[str, Any]

    def gate(self, base_path: str) -> Middleware:
        """The middleware; `base_path` begins and ends with a slash."""
        signer, is_encrypted = Signer(self.key), self.settings.is_encrypted
        # A proxy may strip a path that only the public address has.
        public_path = urlsplit(self.settings.public_url or "").path
        cookies = Cookies((public_path or base_path.rstrip("/")) or "/", is_encrypted=is_encrypted)
        signed_out, sockets = SignedOut(), OpenSockets(time.time)
        provider = None
        if self.by_provider is not None:
            provider = ProviderRoutes(base_path, cookies, Throttle(time.monotonic), is_encrypted=is_encrypted)
        own: Method | None = self.by_password or self.by_provider
        assert own is not None, "read_sign_in returns one of them"
        shared = BySharedLink(signer)
        forms = Forms(
            signer=signer,
            by_password=self.by_password,
            provider=provider,
            attempts=Throttle(time.monotonic),
            signed_out=signed_out,
            sockets=sockets,
            cookies=cookies,
            now_s=time.time,
        )
        return Middleware(
            Gate,
            base_path=base_path,
            method=Either(own, shared),
            shared=shared,
            forms=forms,
            provider=provider,
            signed_out=signed_out,
            sockets=sockets,
            cookies=cookies,
            now_s=time.time,
        )


@cache  # once for the process, because the key may be random
def read_sign_in(settings: SignInSettings) -> SignIn | None:
    """Read the files that the settings name; None without sign-in. Raises ConfigurationError."""
    if not settings.has_sign_in:
        return None
    key = signing_key(settings.dashboard_secret_file)
    if settings.dashboard_auth == "password":
        assert settings.dashboard_password_file is not None, "the settings require it"
        variable = "DASHBOARD_PASSWORD_FILE"
        passwords = read_passwords(read_text(settings.dashboard_password_file, variable), variable)
        by_password = ByPassword(Signer(key), passwords, settings.dashboard_sign_in_hours)
        return SignIn(settings, key, by_password, None, {})
    return _read_provider(settings, key)


def _read_provider(settings: SignInSettings, key: bytes) -> SignIn:
    public_url, metadata_url = settings.public_url, settings.dashboard_oidc_metadata_url
    client_id, client_secret = settings.dashboard_oidc_client_id, settings.dashboard_oidc_client_secret
    assert public_url is not None, "the settings require all four"
    assert metadata_url is not None
    assert client_id is not None
    assert client_secret is not None
    users = Admitted(
        analysts=_users(settings.dashboard_analyst_emails, "DASHBOARD_ANALYST_EMAILS"),
        viewers=_users(settings.dashboard_viewer_emails, "DASHBOARD_VIEWER_EMAILS"),
    )
    cookie_secret = hmac.new(key, b"clickpulse Streamlit's cookies", hashlib.sha256).hexdigest()
    secrets = streamlit_secrets(
        public_url=public_url,
        metadata_url=metadata_url,
        client_id=client_id,
        client_secret=client_secret,
        cookie_secret=cookie_secret,
    )
    by_provider = ByProvider(cookie_secret, users, settings.dashboard_sign_in_hours)
    return SignIn(settings, key, None, by_provider, secrets)


def _users(text: str, variable: str) -> frozenset[str]:
    try:
        return read_users(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable}: {error}") from None
