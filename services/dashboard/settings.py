"""The dashboard's settings."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.web.hosts import read_listed
from services.dashboard.web.response_headers import read_ancestors
from shared.runtime.settings import HealthSettings, LogSettings, RedisSettings
from shared.runtime.site_prefixes import SitePrefix, read_site_prefixes


def _checked_by(parse: Callable[[str], object]) -> Callable[[str], str]:
    def check(text: str) -> str:
        parse(text)
        return text

    return check


def _read_address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        if re.fullmatch(r"[\w.-]+", text) is None:
            raise ValueError("expected an address or a name of this machine, such as 127.0.0.1 or 0.0.0.0") from None


OFF: Final = "off"


def _read_history_url(text: str) -> None:
    if text == OFF:
        return
    parts = urlsplit(text)
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ValueError(f"expected an address such as http://127.0.0.1:8090, or {OFF}")
    _ = parts.port  # raises ValueError


class DashboardSettings(RedisSettings, LogSettings, HealthSettings, SignInSettings):
    """Where the dashboard listens, and how often a page refreshes."""

    dashboard_address: Annotated[str, AfterValidator(_checked_by(_read_address))] = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; 0.0.0.0 is every interface, which needs DASHBOARD_AUTH.",
    )
    dashboard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8501, description="Port to listen on.")
    dashboard_hosts: Annotated[str, AfterValidator(_checked_by(read_listed))] = Field(
        default="",
        examples=["stats.shop.example"],
        description=(
            "Names by which browsers reach the dashboard, besides localhost, 127.0.0.1, [::1] and DASHBOARD_ADDRESS: "
            "stats.shop.example[,*.shop.example]; * is any name, for a proxy that checks it."
        ),
    )
    dashboard_frame_ancestors: Annotated[str, AfterValidator(_checked_by(read_ancestors))] = Field(
        default="",
        examples=["https://intranet.shop.example"],
        description="Origins of pages that may embed the dashboard: https://intranet.shop.example[,...]. Unset: none.",
    )
    dashboard_viewers: int = Field(default=100, ge=1, le=10_000, description="Most pages open at once, 1 to 10000.")
    streamlit_server_base_url_path: str = Field(
        default="", description="Path under which a proxy serves the dashboard, shop/stats, if the proxy keeps it."
    )
    dashboard_sites: Annotated[str, AfterValidator(_checked_by(read_site_prefixes))] = Field(
        default="",
        examples=["All sites=,Shop=shop:"],
        description=(
            "Sites to switch between, each with the REDIS_PREFIX of its numbers: All sites=,Shop=shop:. The first one "
            "is shown first. Unset: only those under REDIS_PREFIX."
        ),
    )
    history_api_url: Annotated[str, AfterValidator(_checked_by(_read_history_url))] = Field(
        default="http://127.0.0.1:8090",
        examples=["https://history.shop.example"],
        description="Where the API of history is: for Sales, last week on Live, long windows of Explore. off: nowhere.",
    )
    history_api_key: str | None = Field(
        default=None,
        repr=False,
        description="Key of the API of history, as `clickpulse api-key` prints it, if history has API_KEYS_FILE.",
    )
    history_api_seconds: float = Field(
        default=30,
        gt=0,
        le=600,
        description="That of history: the dashboard waits a little longer for an answer than history works on it.",
    )
    refresh_seconds: float = Field(
        default=1.0, ge=0.5, le=60, description="Seconds between refreshes of an open page, 0.5 to 60."
    )

    @property
    def has_history(self) -> bool:
        """Whether there is a history to ask."""
        return self.history_api_url != OFF

    @property
    def sites(self) -> tuple[SitePrefix, ...]:
        """Whose numbers the dashboard shows, at least one."""
        return read_site_prefixes(self.dashboard_sites) or (SitePrefix("", self.redis_prefix),)

    @model_validator(mode="after")
    def _refuse_open_address(self) -> Self:
        if self.dashboard_auth is None and not _is_loopback(self.dashboard_address):
            raise ValueError(
                f"DASHBOARD_AUTH: other machines can reach DASHBOARD_ADDRESS={self.dashboard_address}, and there is no "
                "sign-in. Set DASHBOARD_AUTH=password or oidc (see docs/dashboard.md), or none if a proxy or a "
                "firewall decides who reaches the dashboard"
            )
        return self


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"
