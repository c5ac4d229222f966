"""The demo's settings. The services get the rest of the environment unchanged."""

from typing import Annotated

from pydantic import Field

from shared.runtime.settings import HealthSettings, RedisSettings


class DemoSettings(RedisSettings, HealthSettings):
    """The Redis that holds the rollups, and the ports of dashboard (`--port` overrides it), collector, API and metrics.

    Each service has an endpoint of its own: HEALTH_PORT is the first one's, and the others' follow.
    """

    dashboard_port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=8501, description="Port of the dashboard, 1 to 65535."
    )

    collect_port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        default=8080, description="Port of the collector and the shop, 1 to 65535."
    )

    history_api_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8090, description="Port of the API of history; 0 disables it."
    )

    @property
    def names_redis(self) -> bool:
        """Whether the user chose a Redis. If so, the demo starts no embedded server."""
        return "redis_url" in self.model_fields_set
