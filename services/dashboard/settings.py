"""The dashboard's settings."""

from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.dashboard.sign_in.settings import SignInSettings
from shared.runtime.settings import LogSettings, RedisSettings


class DashboardSettings(RedisSettings, LogSettings, SignInSettings):
    """Where the dashboard listens, and how often a page refreshes."""

    dashboard_address: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; 0.0.0.0 is every interface, which needs DASHBOARD_AUTH.",
    )
    dashboard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8501, description="Port to listen on.")
    refresh_seconds: float = Field(
        default=1.0, ge=0.5, le=60, description="Seconds between refreshes of an open page, 0.5 to 60."
    )

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
