"""The dashboard's settings."""

from typing import Annotated

from pydantic import Field

from shared.runtime.settings import LogSettings, RedisSettings


class DashboardSettings(RedisSettings, LogSettings):
    """Where the dashboard listens, and how often a page refreshes."""

    dashboard_address: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; 0.0.0.0 is every interface. There is no login.",
    )
    dashboard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8501, description="Port to listen on.")
    refresh_seconds: float = Field(
        default=1.0, ge=0.5, le=60, description="Seconds between refreshes of an open page, 0.5 to 60."
    )
