"""The settings of signing in."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from shared.runtime.setting_complaints import given
from shared.runtime.settings import EnvironmentSettings

_OIDC: Final = ("dashboard_url", "dashboard_oidc_metadata_url", "dashboard_oidc_client_id",
                "dashboard_oidc_client_secret")  # fmt: skip


class SignInSettings(EnvironmentSettings):
    """Whether and how people sign in, and what signs their sessions and shared links."""

    dashboard_auth: Literal["none", "password", "oidc"] | None = Field(
        default=None,
        description="How to sign in. Unset: not at all, and then only a loopback address may be listened on. "
        "none: not at all, on any address. oidc: OpenID Connect.",
    )
    dashboard_url: str | None = Field(
        default=None,
        description="Address in browsers, such as https://stats.shop.example; for oidc and shared links.",
    )
    dashboard_password_file: Path | None = Field(
        default=None,
        description="For password: file with a line for each role, as `clickpulse hash-password analyst` prints it.",
    )
    dashboard_secret_file: Path | None = Field(
        default=None,
        description="File with the key that signs sessions and shared links; written if missing. Replacing it ends all "
        "of them. Unset: a new key at every start, and no shared links.",
    )
    dashboard_sign_in_hours: Annotated[float, Field(gt=0, le=720)] = Field(
        default=12, description="Hours after which one must sign in again, at most 720."
    )
    dashboard_oidc_metadata_url: str | None = Field(
        default=None,
        description="For oidc: the provider's metadata, https://provider/.well-known/openid-configuration.",
    )
    dashboard_oidc_client_id: str | None = Field(
        default=None, description="For oidc: the client id that the provider gave the dashboard."
    )
    dashboard_oidc_client_secret: str | None = Field(
        default=None, repr=False, description="For oidc: the client's secret."
    )
    dashboard_analyst_emails: str = Field(
        default="",
        description="For oidc: verified addresses of analysts, who see everything; @shop.example is all of a domain.",
    )
    dashboard_viewer_emails: str = Field(
        default="",
        description="For oidc: verified addresses of viewers, who see no visitor ids, addresses or single events.",
    )

    @model_validator(mode="after")
    def _refuse_incomplete(self) -> Self:
        found = []
        if self.dashboard_url is not None and not _is_site(self.dashboard_url):
            found.append(
                "DASHBOARD_URL: expected http[s]://host[:port][/path] without a login, "
                f"for example DASHBOARD_URL=https://stats.shop.example{given(self.dashboard_url)}"
            )
        if self.dashboard_auth == "password" and self.dashboard_password_file is None:
            found.append("DASHBOARD_PASSWORD_FILE: required for DASHBOARD_AUTH=password")
        if self.dashboard_auth == "oidc":
            found += [f"{name.upper()}: required for DASHBOARD_AUTH=oidc" for name in _OIDC if not getattr(self, name)]
            if not self.dashboard_analyst_emails and not self.dashboard_viewer_emails:
                found.append("DASHBOARD_ANALYST_EMAILS or DASHBOARD_VIEWER_EMAILS: required for DASHBOARD_AUTH=oidc")
        if found:
            raise ValueError("\n".join(found))
        return self

    @property
    def has_sign_in(self) -> bool:
        """Whether people must sign in."""
        return self.dashboard_auth in ("password", "oidc")

    @property
    def public_url(self) -> str | None:
        """`dashboard_url` without a slash at its end."""
        return None if self.dashboard_url is None else self.dashboard_url.rstrip("/")

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach the dashboard over TLS, as far as the settings say."""
        return self.dashboard_url is not None and self.dashboard_url.lower().startswith("https:")


def _is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a wrong one
    except ValueError:
        return False
    is_bare = not (parts.query or parts.fragment or parts.username or parts.password) and url.isascii()
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_bare and not any(map(str.isspace, url))
