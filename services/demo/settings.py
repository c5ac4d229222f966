"""The demo's settings; everything else in the environment goes on to the services as it is."""

from typing import Annotated

from pydantic import Field

from shared.runtime.settings import RedisSettings


class DemoSettings(RedisSettings):
    """Where the rollups are, and where the dashboard listens unless `--port` says otherwise."""

    dashboard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=8501, description="Port of the dashboard, 1 to 65535."
    )

    @property
    def names_redis(self) -> bool:
        """Whether the user said which Redis to use; no embedded server is started then."""
        return "redis_url" in self.model_fields_set
