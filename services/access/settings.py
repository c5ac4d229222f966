"""Settings of `clickpulse access`: those that name what the services read and write."""

from pydantic import Field

from services.access.names import Names
from shared.runtime.settings import ServiceSettings, TopicName


class AccessSettings(ServiceSettings):
    """Set them as for the services."""

    offers_topic: TopicName = Field(default="special-offers", description="Topic of special offers.")
    aggregate_group: str = Field(
        default="aggregate", min_length=1, description="Consumer group of the aggregate service."
    )

    @property
    def names(self) -> Names:
        """The topics and groups."""
        return Names(self.raw_topic, self.enriched_topic, self.offers_topic, self.aggregate_group)
